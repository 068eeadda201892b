# bash completion for mai: source it, or put it in /usr/share/bash-completion/completions/mai
_mai() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  case $prev in
  -c | --env-file | --record | --replay)
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    return
    ;;
  swap | start | stop | restart | pin | unpin | logs)
    mapfile -t COMPREPLY < <(compgen -W "$(mai models --json 2>/dev/null | grep -o '"id":"[^"]*"' | cut -d '"' -f 4)" -- "$cur")
    return
    ;;
  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "-c -H --name --env-file --listen --insecure --daemon --json --help --version" -- "$cur")
  elif [ "$COMP_CWORD" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "serve attach status models swap start stop restart pin unpin logs ps cancel reload shutdown check ask version" -- "$cur")
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
  fi
}
complete -F _mai mai
