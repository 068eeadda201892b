# SPDX-License-Identifier: ISC
"""Turns the fixtures in the source packages into raw cases.

    convert.py REQUIREMENTS CACHE OUT

Writes OUT/<n>.raw and OUT/list, whose lines are: name, request or response, accept, reject or incomplete, file.
Only what belongs to the parser is taken: a case that sets an option of its own server is left out, as are lenient modes.
A request of HTTP/1.1 without Host gets one, lest it be refused for that alone.
"""
import ast
import os
import re
import sys
import tarfile

HOST = b"Host: corpus.test"


def inject_host(data, everywhere):
    """Adds Host to the first request when it lacks it; everywhere: to every request that does."""
    line = re.compile(rb"(?:\A(?:\r?\n)*|(?<=\r\n))[!-~]+ [^\r\n]* HTTP/1\.1(\r?\n)")
    out, pos = b"", 0
    for m in line.finditer(data):
        if m.start() != 0 and not everywhere:
            break
        end = re.compile(rb"\r?\n\r?\n").search(data, m.start(1))
        head = data[m.start():end.end() if end else len(data)]
        out += data[pos:m.end()]
        if not re.search(rb"(?i)[\r\n]host[ \t]*:", head):
            out += HOST + m[1]
        pos = m.end()
    return out + data[pos:]


def gunicorn(tar, root):
    for member in sorted(tar.getmembers(), key=lambda m: m.name):
        m = re.fullmatch(re.escape(root) + r"/tests/requests/(valid|invalid)/(\w+)\.http", member.name)
        if not m:
            continue
        side = tar.extractfile(member.name[:-5] + ".py").read().decode("utf-8")
        # The case is about a setting of gunicorn.
        if "cfg.set(" in side:
            continue
        data = tar.extractfile(member).read().replace(b"\n", b"")
        for esc, raw in ((b"\\r\\n", b"\r\n"), (b"\\0", b"\0"), (b"\\n", b"\n"), (b"\\t", b"\t")):
            data = data.replace(esc, raw)
        verdict = "accept" if m[1] == "valid" else "reject"
        if verdict == "reject" and re.search(r"request *= *NoMoreData", side):
            verdict = "incomplete"
        yield f"gunicorn/{m[1]}/{m[2]}", "request", verdict, data


def unescape(text):
    text = re.sub(r"\n\Z", "", text)
    text = re.sub(r"\\(\r\n|\r|\n)", "", text)
    text = re.sub(r"\r\n|\r|\n", "\r\n", text)
    for esc, raw in (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\f", "\f")):
        text = text.replace(esc, raw)
    # Characters, then UTF-8, as the original runner has it.
    text = re.sub(r"\\x([0-9a-fA-F]+)", lambda m: chr(int(m[1], 16)), text)
    text = re.sub(r"\\([0-7]{1,3})", lambda m: chr(int(m[1], 8)), text)
    # The only inline script there is: 'x'.repeat(n).
    text = re.sub(r"\$\{(.+?)\}", lambda m: repeat(m[1]), text)
    return text.encode("utf-8")


def repeat(code):
    m = re.fullmatch(r"""\s*(['"].*['"])\.repeat\((\d+)\)\s*""", code)
    if not m:
        sys.exit(f"convert.py: cannot evaluate {code}")
    return ast.literal_eval(m[1]) * int(m[2])


def llhttp(tar, root):
    case = re.compile(r"^#+ *(?P<title>[^\n]*)\n(?:(?!^#+ ).)*?<!-- *meta=(?P<meta>\{.*?\}) *-->\s*"
                      r"^```http\n(?P<http>.*?)^```\n(?:(?!^#+ ).)*?^```log\n(?P<log>.*?)^```", re.M | re.S)
    for kind in ("request", "response"):
        prefix = f"{root}/vendor/llhttp/test/{kind}/"
        for name in sorted(n for n in tar.getnames() if n.startswith(prefix) and n.endswith(".md")):
            text = tar.extractfile(name).read().decode("utf-8").replace("\r\n", "\n")
            seen = {}
            for m in case.finditer(text):
                # Strict mode only; skipBody is an option of its interface.
                if not re.search(rf'"type": *"{kind}"', m["meta"]) or "skipBody" in m["meta"]:
                    continue
                codes = set(re.findall(r"error code=(\d+)", m["log"]))
                # 21 to 23 are pauses on request, not errors.
                verdict = "reject" if codes - {"21", "22", "23"} else "accept"
                title = re.sub(r"\W+", "-", m["title"]).strip("-").lower()
                seen[title] = seen.get(title, 0) + 1
                if seen[title] > 1:
                    title += f"-{seen[title]}"
                data = unescape(m["http"])
                # llhttp speaks up within the line that is bad, we do at its end.
                if verdict == "reject" and not data.endswith(b"\n"):
                    data += b"\r\n"
                yield f"llhttp/{kind}/{os.path.basename(name)[:-3]}/{title}", kind, verdict, data


def main():
    requirements, cache, out = sys.argv[1:]
    readers = {"gunicorn": gunicorn, "aiohttp": llhttp}
    n = 0
    with open(requirements, encoding="utf-8") as f, open(os.path.join(out, "list"), "w", encoding="utf-8") as cases:
        for package, version in re.findall(r"^(\w+)==([\d.]+)", f.read(), re.M):
            with tarfile.open(os.path.join(cache, f"{package}-{version}.tar.gz")) as tar:
                for name, kind, verdict, data in readers[package](tar, f"{package}-{version}"):
                    if kind == "request":
                        data = inject_host(data, verdict == "accept")
                    with open(os.path.join(out, f"{n}.raw"), "wb") as raw:
                        raw.write(data)
                    cases.write(f"{name} {kind} {verdict} {n}.raw\n")
                    n += 1


main()
