#!/bin/sh
# The folders of src are ranks (src/LAYERS): a module includes its own headers and those of lower ranks, or only those
# that its line names.
set -eu
cd "${srcdir:-.}/src"

for d in */; do
  grep -q "^[0-9]* ${d%/}\(:\|\$\)" LAYERS || { echo "src/LAYERS does not name ${d%/}"; exit 1; }
done

# file:module-of-the-include
grep -n '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' ./*/*.c ./*/*.h ./*.c |
  sed -n 's/^\.\/\([^:]*\):\([0-9]*\):.*"\([^"]*\)".*/\1 \2 \3/p' |
  awk '
    BEGIN {
      while ((getline line < "LAYERS") > 0) {
        if (line ~ /^#/ || line == "")
          continue
        n = split(line, w, /[ :]+/)
        rank[w[2]] = w[1]
        if (line ~ /:/)
          for (named[w[2]] = i = 3; i <= n; i++)
            allowed[w[2], w[i]] = 1
      }
      for (pair in allowed) {
        split(pair, m, SUBSEP)
        if (!(m[2] in rank) || rank[m[2]] >= rank[m[1]]) {
          print "src/LAYERS: " m[1] " may not name " m[2]
          bad = 1
        }
      }
    }
    {
      n = split($1, path, "/")
      from = n > 1 ? path[1] : "main"
      if (split($3, inc, "/") < 2) {
        print "src/" $1 ":" $2 ": include \"" $3 "\" as \"module/" $3 "\""
        bad = 1
        next
      }
      to = inc[1]
      if (!(to in rank))
        why = "no module of src"
      else if (from == to || from == "main")
        next
      else if (rank[to] >= rank[from])
        why = "rank " rank[to] " is not below " rank[from]
      else if (from in named && to != "base" && !((from, to) in allowed))
        why = "not named for " from
      else
        next
      print "src/" $1 ":" $2 ": " $3 " (" why ")"
      bad = 1
    }
    END { exit bad }'
