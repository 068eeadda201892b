# SPDX-License-Identifier: ISC
"""Pages that show what the program shows: their tables of keys come from src/ui/ui_keys.def, their screens from
tests/ui/screens, which tests/ui/replays.py holds to the real ones. Says where a page differs; UPDATE=1 writes it anew.

    docs.py SRCDIR
"""
import os
import re
import sys

TOP = sys.argv[1] if len(sys.argv) > 1 else "."
GROUPS = (("MODEL", "The model"), ("VIEW", "The view"), ("LOG", "The log"), ("REQUESTS", "The requests"))


def bindings():
    """(group, keys in the help, help, command or None)"""
    row = re.compile(r'^KEY\(\w+, "((?:[^"\\]|\\.)*)", (NULL|"(?:[^"\\]|\\.)*"), GROUP_(\w+), "((?:[^"\\]|\\.)*)", (NULL|"[^"]*"),')
    out = []
    with open(os.path.join(TOP, "src/ui/ui_keys.def"), encoding="ascii") as f:
        for line in f:
            m = row.match(line)
            if m:
                text = lambda s: None if s == "NULL" else s.strip('"').replace("\\\\", "\\")
                out.append((m.group(3), text(m.group(2)), m.group(4), text(m.group(5))))
            elif line.startswith("KEY("):
                sys.exit("ui_keys.def: not understood: " + line)
    return out


def screen(name, size):
    with open(os.path.join(TOP, "tests/ui/screens", name + ".txt"), encoding="utf-8") as f:
        for part in re.split(r"^== (?=\d)", f.read(), flags=re.M)[1:]:
            head, _, body = part.partition("\n")
            if head == size:
                return body.rstrip("\n").split("\n")
    sys.exit("no screen %s %s" % (name, size))


def md_keys():
    out = []
    for group, title in GROUPS:
        out += ["| %s | |" % title, "|---|---|"]
        out += ["| %s | %s |" % (" ".join("`%s`" % k for k in keys.split()), text)
                for g, keys, text, _ in bindings() if g == group and keys]
        out.append("")
    return out[:-1]


def md_commands():
    return ["`%s`" % c for c in sorted(b[3] for b in bindings() if b[3])]


def roff(s):
    return s.replace("\\", "\\e").replace("-", "\\-")


def man_keys():
    out = []
    for group, title in GROUPS:
        out += [".Ss %s" % title, '.Bl -tag -compact -width "j k arrows"']
        for g, keys, text, _ in bindings():
            if g == group and keys:
                out += [".It Ic %s" % " ".join(("" if k.isalnum() else "\\&") + roff(k) for k in keys.split()),
                        roff(text[0].upper() + text[1:]) + "."]
        out.append(".El")
    return out


def man_screen(name, size):
    return [("\\&" if r[:1] in (".", "'") else "") + roff(r) for r in screen(name, size)]


def rewrite(page, lines):
    """The page with its marked parts as they should be."""
    out, i = [], 0
    man = page.endswith(".1")
    while i < len(lines):
        out.append(lines[i])
        m = re.match(r'(?:<!-- |\.\\" )(keys|commands|screen (\w+) (\w+))(?: |$)', lines[i])
        i += 1
        if not m:
            continue
        if m.group(2):
            size = m.group(3).replace("_", " ")
            start, end = (".Bd", ".Ed") if man else ("```", "```")
            if not lines[i].startswith(start):
                sys.exit("%s:%d: a block is missing" % (page, i + 1))
            out.append(lines[i])
            out += man_screen(m.group(2), size) if man else screen(m.group(2), size)
            i += 1
        else:
            end = '.\\" end' if man else "<!-- end"
            if m.group(1) == "keys":
                out += man_keys() if man else md_keys()
            else:
                out += [" ".join(md_commands())]
        while not lines[i].startswith(end):
            i += 1
        out.append(lines[i])
        i += 1
    return out


def main():
    bad = 0
    for page in ("README.md", "doc/dashboard.md", "doc/mai.1"):
        path = os.path.join(TOP, page)
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        want = rewrite(page, lines)
        if want == lines:
            continue
        if os.environ.get("UPDATE"):
            with open(path, "w", encoding="utf-8") as f:
                f.write("\n".join(want))
            continue
        at = next(i for i, (a, b) in enumerate(zip(lines + [""], want + [""])) if a != b)
        print("%s:%d is not what the program shows (UPDATE=1 %s)\n- %s\n+ %s" % (page, at + 1, sys.argv[0], lines[at], want[at]))
        bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
