"""Read a SOAP answer as cameras write it (CAMERAS.md O9, O11).

Elements are found by their local name, so undeclared or unexpected prefixes do no harm; bytes that are no text are
replaced; a bare "&" in a URL is mended. Documents with a DTD, too many elements or too deep ones are refused.
Promise: any bytes end in an Element, `RefusedError`, `FaultedError` or `NotSoapError`, in time and memory linear in their length.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
import re
from xml.parsers import expat

from .transport import Reply

_MAX_ELEMENTS = 50_000
_MAX_DEPTH = 64
_MAX_REASON = 200
_DECLARATION = re.compile(rb"^\s*<\?xml([^>]{0,200})\?>")
#: Encodings seen in cameras; any other one (and any of Python's that is no text) is read as UTF-8.
_ENCODING = re.compile(
    rb"""(?i)encoding\s*=\s*["'](gb2312|gbk|gb18030|big5|euc-kr|shift_jis|iso-8859-\d+|windows-125\d)["']"""
)
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
#: How cameras say "wrong login" where they do not use the proper code.
_REFUSAL = re.compile(
    r"(?i)not\s*auth|unauth|authenticat|authoriz|authoris|failed\s*auth|invalid\s*security|security\s*token|"
    r"password|log-?\s?in\b|user\s*name|wsse|access\s*denied"
)
_LOCKED = re.compile(r"(?i)\block(ed|out|-out)?\b|too many|blocked")
_ATTEMPTS = re.compile(
    r"(?i)(\d{1,2})\s*(?:more\s*)?(?:attempts?|tries|times)|(?:attempts?|tries|times|remain\w*|left)\D{0,12}(\d{1,2})\b"
)


class NotSoapError(Exception):
    """What answered speaks no SOAP here."""


@dataclass
class RefusedError(Exception):
    """The login was not accepted, or one is wanted. `attempts` is what the camera says is left, "" mostly."""

    locked: bool = False
    attempts: str = ""


@dataclass
class FaultedError(Exception):
    """The camera understood and says no. `reason` is its own words, shortened, and may be shown."""

    reason: str


@dataclass(slots=True)
class Element:
    """An XML element by its local name; attributes too."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    content: str = ""

    def all(self, *path: str) -> Iterator[Element]:
        """Every element at this path below: `all("Profiles")`, `all("Configurations", "VideoEncoder")`."""
        for child in self.children:
            if child.name == path[0]:
                if len(path) == 1:
                    yield child
                else:
                    yield from child.all(*path[1:])

    def first(self, *path: str) -> Element | None:
        """The first element at this path, or None."""
        return next(self.all(*path), None)

    def text(self, *path: str) -> str:
        """Its text there, stripped of blanks and control characters; "" if there is none."""
        found = self.first(*path) if path else self
        return "" if found is None else " ".join(found.content.split())

    def whole_text(self) -> str:
        """All text below, in order."""
        return " ".join(part for part in (self.text(), *(child.whole_text() for child in self.children)) if part)


def read_answer(reply: Reply) -> Element:
    """The body's element (`GetProfilesResponse`). Raises NotSoapError, RefusedError or FaultedError."""
    body = _body(reply.body)
    if body is None:
        if reply.status in (401, 403):
            raise RefusedError
        raise NotSoapError(f"HTTP {reply.status}")
    fault = body.first("Fault")
    if fault is not None or reply.status in (401, 403):
        words = "" if fault is None else fault.whole_text()
        if reply.status in (401, 403) or _REFUSAL.search(words) or _LOCKED.search(words):
            attempts = _ATTEMPTS.search(words)
            left = "" if attempts is None else attempts[1] or attempts[2]
            raise RefusedError(locked=bool(_LOCKED.search(words)) and left in ("", "0"), attempts=left)
        reason = "" if fault is None else fault.text("Reason", "Text") or fault.text("faultstring") or words
        raise FaultedError(reason[:_MAX_REASON] or f"HTTP {reply.status}")
    answer = next(iter(body.children), None)
    if answer is None:
        raise FaultedError("empty answer")
    return answer


def _body(content: bytes) -> Element | None:
    """The SOAP body; None if this is no SOAP."""
    try:
        root = parse(content)
    except ValueError:
        return None
    return root.first("Body") if root.name == "Envelope" else None


def parse(content: bytes) -> Element:
    """XML as elements. Raises ValueError if it is none that we read."""
    top = Element("")
    stack = [top]
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _MAX_ELEMENTS or len(stack) > _MAX_DEPTH:
            raise ValueError("too many elements")
        element = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        element = stack.pop()
        element.content = "".join(texts.pop(id(element), ()))

    def characters(text: str) -> None:
        texts.setdefault(id(stack[-1]), []).append(text)

    def refuse(*_: object) -> None:
        raise ValueError("document type declarations are not read")

    texts: dict[int, list[str]] = {}
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(_as_text(content).encode(), True)
    except expat.ExpatError as error:
        raise ValueError("not well-formed") from error
    return top.children[0]


def _as_text(content: bytes) -> str:
    declaration = _DECLARATION.match(content)
    encoding = "utf-8"
    if declaration is not None:
        content = content[declaration.end() :]
        named = _ENCODING.search(declaration[1])
        if named is not None:
            encoding = named[1].decode("ascii")
    try:
        text = content.decode(encoding, "replace")
    except LookupError:
        text = content.decode("utf-8", "replace")
    return _BARE_AMPERSAND.sub("&amp;", _NO_XML.sub("", text)).lstrip("\ufeff \t\r\n")


def _local(name: str) -> str:
    return name.rpartition(":")[2]
