"""SOAP as a simulated camera reads and writes it."""

from dataclasses import dataclass, field
from html import escape
from xml.parsers import expat

_NAMESPACES = {
    "env": "http://www.w3.org/2003/05/soap-envelope",
    "ter": "http://www.onvif.org/ver10/error",
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tr2": "http://www.onvif.org/ver20/media/wsdl",
    "tev": "http://www.onvif.org/ver10/events/wsdl",
    "tt": "http://www.onvif.org/ver10/schema",
}
_MOST_DEPTH = 32


@dataclass(slots=True)
class Node:
    """One element of a request: names without their prefixes."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    text: str = ""

    def find(self, *path: str) -> Node | None:
        """The first element at this path below."""
        node: Node | None = self
        for name in path:
            node = next((child for child in node.children if child.name == name), None) if node else None
        return node

    def text_at(self, *path: str) -> str:
        """Its text, without blanks around it; "" if there is none."""
        found = self.find(*path)
        return found.text.strip() if found else ""


@dataclass(frozen=True, slots=True)
class Request:
    """One operation and what it came with. `namespace` tells the service: media 1 and 2 share names."""

    operation: Node
    namespace: str
    token: Node | None


class FaultError(Exception):
    """The camera says no."""

    def __init__(self, subcode: str, reason: str, status: int = 400) -> None:
        """`subcode` without its prefix, as the ONVIF core specification names it."""
        super().__init__(reason)
        self.subcode, self.reason, self.status = subcode, reason, status


def read_request(content: bytes) -> Request:
    """Raises FaultError for what is no SOAP request."""
    top = Node("")
    stack = [top]
    namespaces: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > _MOST_DEPTH:
            raise ValueError
        namespace, _, local = name.rpartition(" ")
        if len(stack) == 3 and stack[-1].name == "Body":
            namespaces.append(namespace)
        node = Node(local, {key.rpartition(" ")[2]: value for key, value in attributes.items()})
        stack[-1].children.append(node)
        stack.append(node)

    def end(_: str) -> None:
        stack.pop()

    def characters(text: str) -> None:
        stack[-1].text += text

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, characters
    try:
        parser.Parse(content, True)
    except expat.ExpatError, ValueError:
        raise FaultError("WellFormed", "not well-formed") from None
    body = top.find("Envelope", "Body")
    if body is None or not body.children:
        raise FaultError("WellFormed", "no request")
    return Request(body.children[0], namespaces[0], top.find("Envelope", "Header", "Security", "UsernameToken"))


def envelope(body: str, *, declared: bool = True) -> bytes:
    """An answer; `declared` False leaves the prefixes of ONVIF unexplained (CAMERAS.md O11)."""
    shown = _NAMESPACES if declared else {"env": _NAMESPACES["env"]}
    prefixes = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in shown.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?><env:Envelope {prefixes}><env:Body>{body}</env:Body></env:Envelope>'
    return text.encode()


def fault_body(fault: FaultError) -> str:
    """The element of a fault."""
    subcode = f"<env:Subcode><env:Value>ter:{fault.subcode}</env:Value></env:Subcode>" if fault.subcode else ""
    return (
        f"<env:Fault><env:Code><env:Value>env:Sender</env:Value>{subcode}</env:Code>"
        f'<env:Reason><env:Text xml:lang="en">{escape(fault.reason)}</env:Text></env:Reason></env:Fault>'
    )


def namespace_of(prefix: str) -> str:
    """The namespace that a prefix stands for in our answers."""
    return _NAMESPACES[prefix]
