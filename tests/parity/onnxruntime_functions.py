"""The function table of ONNX Runtime's C interface, read from the crate ort-sys.

onnxruntime_functions.py LIB_RS > onnxruntime_functions.txt, where LIB_RS is src/lib.rs of the crate (`cargo vendor` brings it).
Prints a line an entry, in the order of the table: its index, its name, what it returns and takes. Of a type only what a call
depends on is kept: p a pointer, 8 and 4 numbers of so many bytes, 1 a bool, v nothing, ? what is none of these.
"""

import re
import sys
from pathlib import Path

KINDS = (
    (r"\*(const|mut) .*|.*Fn|.*Func|.*Function|OrtStatusPtr|Option<.*|unsafe extern .*", "p"),
    (r"usize|i64|u64", "8"),
    (r"(core::ffi::)?c_int|i32|u32|f32|ExecutionMode|GraphOptimizationLevel|ONNXTensorElementDataType|ONNXType", "4"),
    (r"Ort(AllocatorType|ErrorCode|LanguageProjection|LoggingLevel|MemType|SparseFormat|SparseIndicesFormat|OpAttrType)", "4"),
    (r"bool", "1"),
    (r"\(\)|!", "v"),
)


def kind_of(rust_type):
    return next((kind for pattern, kind in KINDS if re.fullmatch(pattern, rust_type.strip())), "?")


def arguments_of(text):
    """The arguments between parentheses, cut at the commas that lie outside brackets."""
    depth, argument = 0, ""
    for character in text:
        depth += (character in "(<[") - (character in ")>]")
        if character == "," and depth == 0:
            yield argument
            argument = ""
        else:
            argument += character
    if argument.strip():
        yield argument


def signature_of(rust_type):
    """`p(p4p)` of `unsafe extern "system" fn(a: *const T, …) -> OrtStatusPtr`."""
    match = re.fullmatch(r'(?:Option<)?unsafe extern "system" fn\((.*?)\)(?: -> ([^()]*|\(\)))?>?', rust_type)
    if not match:
        return "?"
    taken = "".join(kind_of(argument.split(":", 1)[1]) for argument in arguments_of(match[1]))
    return f"{kind_of(match[2] or '()')}({taken})"


def functions(source):
    """(name, signature) of each entry. What differs on WebAssembly is in the crate twice; the first is everyone else's."""
    body = re.search(r"^pub struct OrtApi \{\n(.*?)^\}", source, re.DOTALL | re.MULTILINE)[1]
    body = re.sub(r'#\[doc = "(?:[^"\\]|\\.)*"\]', "", body)
    body = re.sub(r"#\[cfg[^\n]*\]", "", body)
    entries = []
    for name, rust_type in re.findall(r"pub (\w+):(.*?),\s*(?=pub |\Z)", body + ",", re.DOTALL):
        if not entries or entries[-1][0] != name:
            entries.append((name, signature_of(" ".join(rust_type.split()).replace("fn( ", "fn(").replace(" )", ")"))))
    return entries


for index, (name, signature) in enumerate(functions(Path(sys.argv[1]).read_text(encoding="utf-8"))):
    print(index, name, signature)
