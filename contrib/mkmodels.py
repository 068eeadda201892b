# SPDX-License-Identifier: ISC
"""mkmodels.py tiny-gguf FILE | tiny-mlx DIR | real-mlx GGUF DIR | smoke LLAMA_SERVER GGUF

tiny-*: one deterministic random-weights llama, the same weights both ways; standard library only.
real-mlx: a llama-architecture Q4_0/Q4_1/Q8_0 GGUF as a bfloat16 MLX directory; needs mlx.
smoke: start the server on a free port, wait for /health, ask for 4 tokens, stop it.
"""
import array, json, os, random, struct, sys

CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
          "+ '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
T = dict(hidden=128, ff=256, layers=4, heads=4, kv=2, ctx=8192, eps=1e-5, theta=10000.0)


def byte_alphabet():
    """The byte -> printable character table of byte-level BPE."""
    direct = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, n = {b: chr(b) for b in direct}, 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + n)
            n += 1
    return [table[b] for b in range(256)]


def tiny_weights():
    """name -> (shape, floats). The lm_head rows of the specials and of unprintable bytes are zero, so greedy
    decoding gives printable ASCII that never stops before max_tokens."""
    r, out = random.Random(20240607), {}
    h, ff, hd, vocab = T["hidden"], T["ff"], T["hidden"] // T["heads"], len(SPECIAL) + 256

    def mat(name, rows, cols, s):
        out[name] = ((rows, cols), array.array("f", [r.gauss(0, s) for _ in range(rows * cols)]))

    mat("model.embed_tokens.weight", vocab, h, 1.0)
    for i in range(T["layers"]):
        p = f"model.layers.{i}."
        mat(p + "self_attn.q_proj.weight", T["heads"] * hd, h, h ** -.5)
        mat(p + "self_attn.k_proj.weight", T["kv"] * hd, h, h ** -.5)
        mat(p + "self_attn.v_proj.weight", T["kv"] * hd, h, h ** -.5)
        mat(p + "self_attn.o_proj.weight", h, T["heads"] * hd, h ** -.5)
        mat(p + "mlp.gate_proj.weight", ff, h, h ** -.5)
        mat(p + "mlp.up_proj.weight", ff, h, h ** -.5)
        mat(p + "mlp.down_proj.weight", h, ff, ff ** -.5)
        for n in ("input_layernorm", "post_attention_layernorm"):
            out[p + n + ".weight"] = ((h,), array.array("f", [1.0] * h))
    out["model.norm.weight"] = ((h,), array.array("f", [1.0] * h))
    mat("lm_head.weight", vocab, h, 1.0)
    w = out["lm_head.weight"][1]
    for tok in range(vocab):
        if not 32 <= tok - len(SPECIAL) < 127:
            w[tok * h:(tok + 1) * h] = array.array("f", [0.0] * h)
    return out


def dump(d, name, obj):
    with open(os.path.join(d, name), "w", encoding="utf-8") as f:
        json.dump(obj, f, ensure_ascii=False)


def write_tokenizer(d, tokens, merges, special, template, bos, eos, pad, max_len, digits):
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    pre = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, level]}
    dump(d, "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None, "post_processor": None,
        "added_tokens": [{"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for i in special],
        "pre_tokenizer": pre if digits else level, "decoder": level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {t: i for i, t in enumerate(tokens)}, "merges": [m.split(" ") for m in merges]}})
    dump(d, "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": False, "model_max_length": max_len,
        "clean_up_tokenization_spaces": False, "bos_token": tokens[bos], "eos_token": tokens[eos],
        "pad_token": tokens[pad], "unk_token": tokens[0], "chat_template": template})


def write_index(d, names, total):
    dump(d, "model.safetensors.index.json",
         {"metadata": {"total_size": total}, "weight_map": {n: "model.safetensors" for n in sorted(names)}})


def tiny_mlx(d):
    os.makedirs(d, exist_ok=True)
    ws, head, off = tiny_weights(), {"__metadata__": {"format": "mlx"}}, 0
    for k, (shape, a) in ws.items():
        head[k] = {"dtype": "F32", "shape": list(shape), "data_offsets": [off, off + 4 * len(a)]}
        off += 4 * len(a)
    hb = json.dumps(head).encode()
    hb += b" " * (-len(hb) % 8)
    with open(os.path.join(d, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(hb)) + hb + b"".join(a.tobytes() for _, a in ws.values()))
    write_index(d, ws, off)
    dump(d, "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": T["hidden"],
        "intermediate_size": T["ff"], "num_hidden_layers": T["layers"], "num_attention_heads": T["heads"],
        "num_key_value_heads": T["kv"], "max_position_embeddings": T["ctx"], "rms_norm_eps": T["eps"],
        "rope_theta": T["theta"], "vocab_size": len(SPECIAL) + 256, "tie_word_embeddings": False,
        "bos_token_id": 1, "eos_token_id": 2})
    write_tokenizer(d, SPECIAL + byte_alphabet(), [], [0, 1, 2], CHATML, 1, 2, 0, T["ctx"], False)


LAYER = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def tiny_gguf(path):
    U32, I32, F32, BOOL, STR, ARR = 4, 5, 6, 7, 8, 9

    def s(x):
        return struct.pack("<Q", len(x.encode())) + x.encode()

    def val(t, v):
        if t == STR:
            return s(v)
        if t == ARR:
            return struct.pack("<IQ", v[0], len(v[1])) + b"".join(val(v[0], x) for x in v[1])
        return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[t], v)

    def interleave(a, heads, rows, cols):
        """Rotate-half row order -> the interleaved one that GGUF llama files have."""
        out, d = array.array("f"), rows // heads
        for h in range(heads):
            for i in range(d // 2):
                for j in (0, 1):
                    row = h * d + j * d // 2 + i
                    out.extend(a[row * cols:(row + 1) * cols])
        return out

    toks = SPECIAL + byte_alphabet()
    kv = [("general.architecture", STR, "llama"), ("general.name", STR, "tiny-random"),
          ("general.file_type", U32, 0), ("llama.vocab_size", U32, len(toks)),
          ("llama.context_length", U32, T["ctx"]), ("llama.embedding_length", U32, T["hidden"]),
          ("llama.block_count", U32, T["layers"]), ("llama.feed_forward_length", U32, T["ff"]),
          ("llama.rope.dimension_count", U32, T["hidden"] // T["heads"]), ("llama.rope.freq_base", F32, T["theta"]),
          ("llama.attention.head_count", U32, T["heads"]), ("llama.attention.head_count_kv", U32, T["kv"]),
          ("llama.attention.layer_norm_rms_epsilon", F32, T["eps"]),
          ("tokenizer.ggml.model", STR, "gpt2"), ("tokenizer.ggml.pre", STR, "gpt-2"),
          ("tokenizer.ggml.tokens", ARR, (STR, toks)), ("tokenizer.ggml.merges", ARR, (STR, [])),
          ("tokenizer.ggml.token_type", ARR, (I32, [3] * len(SPECIAL) + [1] * 256)),
          ("tokenizer.ggml.bos_token_id", U32, 1), ("tokenizer.ggml.eos_token_id", U32, 2),
          ("tokenizer.ggml.padding_token_id", U32, 0), ("tokenizer.ggml.add_bos_token", BOOL, False),
          ("tokenizer.chat_template", STR, CHATML)]
    to_gguf = {v: k for k, v in {**LAYER, **TOP}.items()}
    infos, data = b"", b""
    ws = tiny_weights()
    for k, (shape, a) in ws.items():
        k = k[:-len(".weight")]
        prefix = ""
        if k.startswith("model.layers."):
            i, k = k[len("model.layers."):].split(".", 1)
            prefix = f"blk.{i}."
            if k.endswith("q_proj") or k.endswith("k_proj"):
                a = interleave(a, T["heads"] if k.endswith("q_proj") else T["kv"], *shape)
        infos += s(prefix + to_gguf[k] + ".weight") + struct.pack("<I", len(shape))
        infos += b"".join(struct.pack("<Q", n) for n in reversed(shape)) + struct.pack("<IQ", 0, len(data))
        data += a.tobytes()
        data += b"\0" * (-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(ws), len(kv))
    head += b"".join(s(k) + struct.pack("<I", t) + val(t, v) for k, t, v in kv) + infos
    with open(path, "wb") as f:
        f.write(head + b"\0" * (-len(head) % 32) + data)


def real_mlx(gguf, d):
    import mlx.core as mx
    w, m = mx.load(gguf, return_metadata=True)
    if m["general.architecture"] != "llama":
        sys.exit(f"{gguf}: architecture {m['general.architecture']!r}, only llama is supported")

    def num(k):
        return m[k].item()

    out = {}
    for k, v in w.items():
        base, kind = k.rsplit(".", 1)
        if kind != "weight":
            continue
        if base + ".scales" in w:   # mlx keeps GGUF's blocks of 32: 4 or 8 bits a weight
            bits = v.shape[-1] // w[base + ".scales"].shape[-1]
            v = mx.dequantize(v, w[base + ".scales"], w[base + ".biases"], group_size=32, bits=bits)
        part = base.split(".")
        name = f"model.layers.{part[1]}.{LAYER[part[2]]}" if part[0] == "blk" else TOP[base]
        out[name + ".weight"] = v.astype(mx.bfloat16)
    os.makedirs(d, exist_ok=True)
    mx.save_safetensors(os.path.join(d, "model.safetensors"), out, metadata={"format": "mlx"})
    write_index(d, out, sum(v.nbytes for v in out.values()))
    tokens, types = m["tokenizer.ggml.tokens"], m["tokenizer.ggml.token_type"].tolist()
    bos, eos = num("tokenizer.ggml.bos_token_id"), num("tokenizer.ggml.eos_token_id")
    dump(d, "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": num("llama.embedding_length"),
        "intermediate_size": num("llama.feed_forward_length"), "num_hidden_layers": num("llama.block_count"),
        "num_attention_heads": num("llama.attention.head_count"),
        "num_key_value_heads": num("llama.attention.head_count_kv"),
        "max_position_embeddings": num("llama.context_length"),
        "rms_norm_eps": num("llama.attention.layer_norm_rms_epsilon"), "rope_theta": num("llama.rope.freq_base"),
        "rope_traditional": True, "vocab_size": len(tokens), "tie_word_embeddings": "output.weight" not in w,
        "bos_token_id": bos, "eos_token_id": eos})
    write_tokenizer(d, tokens, m["tokenizer.ggml.merges"], [i for i, t in enumerate(types) if t == 3],
                    m["tokenizer.chat_template"], bos, eos, num("tokenizer.ggml.padding_token_id"),
                    num("llama.context_length"), m["tokenizer.ggml.pre"] == "smollm")


def smoke(server, gguf):
    import http.client, socket, subprocess, time
    with socket.socket() as so:
        so.bind(("127.0.0.1", 0))
        port = so.getsockname()[1]
    p = subprocess.Popen([server, "-m", gguf, "--host", "127.0.0.1", "--port", str(port)],
                         stdout=sys.stderr, stderr=sys.stderr)

    def ask(method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        c.request(method, path, body, {"Content-Type": "application/json"})
        return c.getresponse().status

    try:
        end = time.monotonic() + 60
        while True:
            if p.poll() is not None:
                sys.exit(f"{server} ended with {p.returncode}")
            try:
                if ask("GET", "/health") == 200:
                    break
            except OSError:
                pass
            if time.monotonic() > end:
                sys.exit(f"{server}: not healthy after 60 s")
            time.sleep(0.05)
        st = ask("POST", "/v1/completions", json.dumps({"prompt": "Hi", "max_tokens": 4}))
        if st != 200:
            sys.exit(f"{server}: completion answered {st}")
    finally:
        p.kill()
        p.wait()


if __name__ == "__main__":
    {"tiny-gguf": tiny_gguf, "tiny-mlx": tiny_mlx, "real-mlx": real_mlx, "smoke": smoke}[sys.argv[1]](*sys.argv[2:])
