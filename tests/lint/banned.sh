#!/bin/sh
# Functions that are never called, and headers that only one place may include.
set -eu
cd "${srcdir:-.}"
bad=0

# Code without comments and strings, line numbers kept.
code() {
  awk '
    {
      line = $0; out = ""
      while (line != "") {
        if (in_c) {
          i = index(line, "*/")
          if (!i) { line = ""; break }
          line = substr(line, i + 2); in_c = 0
        } else if (match(line, /"([^"\\]|\\.)*"|\/\*|\/\//)) {
          out = out substr(line, 1, RSTART - 1)
          what = substr(line, RSTART, RLENGTH)
          line = substr(line, RSTART + RLENGTH)
          if (what == "/*") in_c = 1
          else if (what == "//") line = ""
          else out = out "\"\""
        } else { out = out line; line = "" }
      }
      print FILENAME ":" FNR ": " out
    }' "$1"
}

functions='strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|system|popen|sleep|usleep|signal|alloca'
for f in src/*.c src/*/*.[ch]; do
  if code "$f" | grep -E "[^A-Za-z0-9_>.]($functions)[[:space:]]*\("; then
    echo "$f: calls a banned function"
    bad=1
  fi
  if code "$f" | grep -E 'typedef[[:space:]]+(struct|enum|union)'; then
    echo "$f: structs and enums are not given typedefs"
    bad=1
  fi
done

# only HEADER-REGEX ALLOWED-FILE-REGEX
only() {
  hits=$(grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$1" src/*.c src/*/*.[ch] | grep -vE "^src/($2):" || :)
  [ -z "$hits" ] || { echo "$hits"; echo "  may be included only by src/($2)"; bad=1; }
}
only '(n?cursesw?/)?(n?curses|term)\.h' 'ui/.*'
only 'event2?/|event\.h' 'base/loop\.[ch]|http/.*|client/.*'
only 'curl/' 'client/.*'
only 'yaml\.h' 'conf/.*'
only 'cjson/' 'base/json\.[ch]'
never=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"](sys/socket|sys/un|netinet/|arpa/|netdb|event2/|cjson/|curl/|base/(loop|json)\.h)' \
  src/ui/*.[ch] || :)
[ -z "$never" ] || { echo "$never"; echo "  has no place in src/ui"; bad=1; }

marks=$(grep -nE 'TO''DO|FIX''ME|XX''X' src/*/*.[ch] || :)
[ -z "$marks" ] || { echo "$marks"; bad=1; }
exit $bad
