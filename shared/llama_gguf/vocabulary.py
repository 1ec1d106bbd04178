"""A byte-level BPE tokenizer, read from Hugging Face files and written as GGUF keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGUFWriter, TokenType

from shared.llama_gguf.errors import BadModelError
from shared.llama_gguf.json_file import read_json, read_json_if_there

_WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
# How text is cut before merging, by the regular expression in tokenizer.json; llama.cpp knows
# each by a name only.
_PRE_TOKENIZERS = {
    f"{_SHORT}|{_WORD}|\\p{{N}}{_REST}": "qwen2",
    f"{_SHORT}|{_WORD}|\\p{{N}}{{1,3}}{_REST}": "llama-bpe",
}


@dataclass(frozen=True)
class Vocabulary:
    """`tokens[i]` is the text of token i in BPE's byte alphabet; `types[i]` its GGUF type."""

    tokens: list[str]
    types: list[int]
    merges: list[str]
    pre: str
    bos: int | None
    eos: int | None
    padding: int | None
    add_bos: bool
    chat_template: str | None

    def write(self, writer: GGUFWriter) -> None:
        """Add the tokenizer's keys to a GGUF file."""
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        writer.add_token_merges(self.merges)
        writer.add_add_bos_token(self.add_bos)
        if self.bos is not None:
            writer.add_bos_token_id(self.bos)
        if self.eos is not None:
            writer.add_eos_token_id(self.eos)
        if self.padding is not None:
            writer.add_pad_token_id(self.padding)
        if self.chat_template:
            writer.add_chat_template(self.chat_template)


def read_vocabulary(model_dir: Path, size: int) -> Vocabulary:
    """The tokenizer of a model with `size` embedding rows; BadModelError where it does not fit."""
    tokenizer = read_json(model_dir / "tokenizer.json")
    settings = read_json_if_there(model_dir / "tokenizer_config.json")
    model = tokenizer.get("model") or {}
    if model.get("type", "BPE") != "BPE" or not isinstance(model.get("vocab"), dict):
        raise BadModelError("tokenizer.json is not byte-level BPE")
    tokens, types = _tokens(model["vocab"], tokenizer.get("added_tokens") or [], size)
    ids = {token: n for n, token in enumerate(tokens)}
    return Vocabulary(
        tokens=tokens,
        types=types,
        merges=[m if isinstance(m, str) else " ".join(m) for m in model.get("merges", [])],
        pre=_pre_tokenizer(tokenizer.get("pre_tokenizer") or {}),
        bos=_special(model_dir, settings, ids, "bos"),
        eos=_special(model_dir, settings, ids, "eos"),
        padding=_named(settings.get("pad_token"), ids),
        add_bos=bool(settings.get("add_bos_token", False)),
        chat_template=_chat_template(model_dir, settings),
    )


def _tokens(
    vocab: dict[str, int], added: list[dict[str, Any]], size: int
) -> tuple[list[str], list[int]]:
    """Rows that no token claims are padding: embeddings are often rounded up."""
    tokens = [f"[PAD{n}]" for n in range(size)]
    types = [int(TokenType.UNUSED)] * size
    listed = [(text, number, TokenType.NORMAL) for text, number in vocab.items()]
    for entry in added:
        kind = TokenType.CONTROL if entry.get("special") else TokenType.USER_DEFINED
        listed.append((entry["content"], entry["id"], kind))
    for text, number, kind in listed:
        if not isinstance(number, int) or not 0 <= number < size:
            raise BadModelError(f"token {text!r} has id {number}, the model has {size} rows")
        tokens[number], types[number] = text, int(kind)
    return tokens, types


def _pre_tokenizer(pre: dict[str, Any]) -> str:
    """llama.cpp's name of the way that text is cut; a wrong one would give other tokens."""
    parts = pre.get("pretokenizers", [pre])
    for part in parts:
        if part.get("type") == "Split":
            pattern = (part.get("pattern") or {}).get("Regex", "")
            if pattern in _PRE_TOKENIZERS:
                return _PRE_TOKENIZERS[pattern]
            raise BadModelError(f"unsupported pre-tokenizer pattern {pattern!r}")
    if any(p.get("type") == "ByteLevel" and p.get("use_regex", True) for p in parts):
        return "gpt-2"
    raise BadModelError("tokenizer.json has no byte-level pre-tokenizer")


def _special(
    model_dir: Path, settings: dict[str, Any], ids: dict[str, int], role: str
) -> int | None:
    """The tokenizer's own word counts first: configs carry left-over defaults."""
    named = _named(settings.get(f"{role}_token"), ids)
    if named is not None or f"{role}_token" in settings:
        return named
    for name in ("generation_config.json", "config.json"):
        value = read_json_if_there(model_dir / name).get(f"{role}_token_id")
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, int) and 0 <= value < len(ids):
            return value
    return None


def _named(token: object, ids: dict[str, int]) -> int | None:
    text = token.get("content") if isinstance(token, dict) else token
    return ids.get(text) if isinstance(text, str) else None


def _chat_template(model_dir: Path, settings: dict[str, Any]) -> str | None:
    path = model_dir / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):  # several, by name
        template = next((t["template"] for t in template if t.get("name") == "default"), None)
    return template if isinstance(template, str) else None
