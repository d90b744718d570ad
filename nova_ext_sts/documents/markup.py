# SPDX-License-Identifier: Apache-2.0
"""Where things stand in the bytes of an XML document, and edits to them."""

from __future__ import annotations

import encodings
import encodings.aliases
import io
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple
from xml.parsers import expat

from nova_ext_sts import extension

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    StartHandler = Callable[[str, dict[str, str]], object]
    EndHandler = Callable[[str], object]

    #: (start, end, text): what is to stand between two bytes of the body.
    Edit = tuple[int, int, str]

#: The extension's attributes, without a prefix.
STATES = [name.partition(":")[2] for name in extension.ATTRIBUTES]
#: Which attribute each of the states is, where there is none of them.
NONE_GIVEN: Sequence[int | None] = (None, None, None)

#: The largest body that is read: about 7,000 servers in detail. What a hostile
#: one costs grows in proportion: the worst that is known of this size takes 6
#: seconds and 200 MB.
MAX_SIZE = 8 * 1024 * 1024

_MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe": "utf-16le",
    b"\xfe\xff": "utf-16be",
}
_DECLARED = re.compile(
    rb"<\?xml\s+version\s*=\s*(?:'[^']*'|\"[^\"]*\")"
    rb"\s+encoding\s*=\s*[\"']([^\"']*)"
)
_DECLARED_REACH = 1024  # bytes

#: Encodings for which expat takes a table from Python, in Python's names. It
#: takes one for stateful encodings too, and misreads those. Nothing else is
#: looked up, since Python remembers each name that it was asked for.
_SINGLE_BYTE = re.compile(
    r"ascii|latin_1|iso8859_\d\d?|cp\d{3,4}|koi8_[rtu]|tis_620"
    r"|mac_(?:cyrillic|greek|iceland|latin2|roman|turkish)"
)

#: What may stand in front of the root element, but for a DOCTYPE.
_MISC = re.compile(rb"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_ATTRIBUTE = re.compile(rb"\s+[^\s=]+\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_WIDE = re.compile("[\u0100-\uffff]")

#: XML 1.0, section 2.2.
_NO_CHARACTER = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_ESCAPES = str.maketrans(
    {character: f"&#{ord(character)};" for character in "\t\n\r'"}
    | {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
)


class Tag(NamedTuple):
    """Where the parts of a tag lie in the body."""

    values: Sequence[tuple[int, int]]  # of the attributes, without quotes
    stop: int  # where its ">" or "/>" begins
    end: int
    is_empty: bool  # a start and an end in one


class Markup:
    """The bytes of an XML body, their encoding, and the places of tags.

    Positions are in bytes, as expat tells them.

    :raises ValueError: the body is too large, has a DOCTYPE, or is not in an
        encoding that can be read
    """

    __slots__ = ("_body", "_encoding", "_units", "_width", "parser")

    parser: expat.XMLParserType

    def __init__(self, body: bytes, charset: str | None) -> None:
        if len(body) > MAX_SIZE:
            raise ValueError(f"larger than {MAX_SIZE} bytes")
        self._body = body
        self._encoding, pos = _encoding(body, charset)
        #: One byte for each unit of the encoding. Those in ASCII are right,
        #: and the syntax of XML has no others.
        self._units = body
        self._width = 1
        if self._encoding.startswith("utf-16"):
            text = _ASTRAL.sub("xx", body.decode(self._encoding))
            self._units = _WIDE.sub("x", text).encode("latin-1")
            self._width = 2
        # expat goes on for a while after a handler has raised an error, and
        # expands entities meanwhile: it is not given a DOCTYPE at all.
        pos //= self._width
        while match := _MISC.match(self._units, pos):
            pos = match.end()
        if self._units.startswith(b"<!", pos):
            raise ValueError("a DOCTYPE")

    def parse(
        self, start: StartHandler, end: EndHandler | None = None
    ) -> None:
        """Parse the body, handlers looking on.

        While it lasts ``parser`` is there, for its handlers to be changed.

        :param start: the first handler of start tags
        :param end: the first one of end tags
        :raises ValueError: the body is not well-formed, or a handler said so
        """
        # Names are not kept: a hostile body has a million.
        self.parser = expat.ParserCreate(self._encoding, intern=None)
        self.parser.StartElementHandler = start
        self.parser.EndElementHandler = end
        try:
            # At once: whatever is cut in two is scanned twice.
            self.parser.Parse(self._body, True)
        except (expat.ExpatError, LookupError, MemoryError) as error:
            raise ValueError(str(error)) from error
        finally:
            # It has a copy of the body, which handlers that refer to each
            # other would hold until the next collection.
            del self.parser

    def name_end(self, start: int, name: str) -> int:
        """Return where the name ends in the tag that begins at ``start``."""
        return start + len(f"<{name}".encode(self._encoding))

    def tag(self, name_end: int) -> Tag:
        """Return the other parts of the tag whose name ends there."""
        width = self._width
        values = []
        pos = name_end // width
        while match := _ATTRIBUTE.match(self._units, pos):
            first, last = match.span(match.lastindex or 0)
            values.append((first * width, last * width))
            pos = match.end()
        last = self._units.index(b">", pos)
        is_empty = self._units.startswith(b"/", last - 1)
        stop = last - is_empty
        return Tag(values, stop * width, (last + 1) * width, is_empty)

    def edited(self, edits: Iterable[Edit]) -> bytes:
        """Return the body with the edits, which are in order."""
        body = memoryview(self._body)
        # Not a list to be joined, which would take half as much again.
        edited = io.BytesIO()
        write = edited.write
        encoded: dict[str, bytes] = {}
        done = 0
        for start, end, text in edits:
            if text not in encoded:
                encoded[text] = text.encode(
                    self._encoding, "xmlcharrefreplace"
                )
            write(body[done:start])
            write(encoded[text])
            done = end
        if not edited.tell():
            return self._body
        write(body[done:])
        return edited.getvalue()


def escaped(value: str | int | None) -> str:
    """Return a value as it stands between the quotes of an attribute."""
    return _NO_CHARACTER.sub("\ufffd", str(value)).translate(_ESCAPES)


def _encoding(body: bytes, charset: str | None) -> tuple[str, int]:
    """Return how a body is encoded, and the length of its byte order mark.

    :raises ValueError: in a way that it cannot be, or that expat cannot read
    """
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            return encoding, len(mark)
    if charset is None:
        # Without the zeros UTF-16 is as good as ASCII here.
        head = body[:_DECLARED_REACH].replace(b"\0", b"")
        declared = _DECLARED.match(head)
        charset = declared[1].decode("latin-1") if declared else "utf-8"
    name = encodings.normalize_encoding(charset).lower()
    name = encodings.aliases.aliases.get(name, name)
    # expat takes these for UTF-16 whatever it is told.
    is_wide = b"\0" in body[:2]
    if is_wide and name in ("utf_16", "utf_16_be", "utf_16_le"):
        return "utf-16be" if body.startswith(b"\0") else "utf-16le", 0
    if not is_wide and name == "utf_8":
        return "utf-8", 0
    if not is_wide and _SINGLE_BYTE.fullmatch(name):
        return name, 0
    raise ValueError(f"not readable as {charset}")


#: Each server in a document may have its own beside those of the root.
_MAX_BOUND = 20  # namespaces in one tag
#: … in as many ways: each takes some kilobytes.
_MAX_SCOPES = 1000


class Scope:
    """The namespaces that are bound where an element stands.

    By hand, since expat writes a namespace out anew at each name in it: half
    a megabyte of namespace and as much of attributes keep it busy for
    minutes, and nothing stops it.

    :param bound: the namespaces by their prefix, which is empty for the
        default namespace
    """

    __slots__ = ("_inner", "_names", "bound", "prefix")

    def __init__(self, bound: Mapping[str, str]) -> None:
        self.bound = bound
        prefixes = [
            prefix
            for prefix, uri in bound.items()
            if prefix and uri == extension.NAMESPACE
        ]
        if any(not _begins_a_name(prefix) for prefix in prefixes):
            raise ValueError("a prefix that no attribute can begin with")
        #: The extension's prefix, or None where its namespace is not bound.
        self.prefix = (
            extension.ALIAS
            if extension.ALIAS in prefixes
            else next(iter(prefixes), None)
        )
        self._names = [
            [f"{prefix}:{state}" for prefix in prefixes]
            for state in STATES
            if prefixes
        ]
        #: Those within, by what they declare; what one server declares, most
        #: do.
        self._inner: dict[tuple[tuple[str, str], ...], Scope] = {}

    def within(self, attributes: Mapping[str, str]) -> Scope:
        """Return the scope inside a start tag with these attributes."""
        if "xmlns" not in " ".join(attributes):  # as for most servers
            return self
        own = {
            name[6:]: uri
            for name, uri in attributes.items()
            if name == "xmlns" or name.startswith("xmlns:")
        }
        if not own:
            return self
        if len(own) > _MAX_BOUND:
            raise ValueError(f"more than {_MAX_BOUND} namespaces in one tag")
        key = tuple(own.items())
        inner = self._inner.get(key)
        if inner is None:
            if len(self._inner) == _MAX_SCOPES:
                raise ValueError(f"more than {_MAX_SCOPES} sets of namespaces")
            inner = self._inner[key] = Scope({**self.bound, **own})
        return inner

    def expanded(self, name: str) -> tuple[str | None, str]:
        """Return the namespace of an element's name, and what is left."""
        prefix, _, local = name.rpartition(":")
        return self.bound.get(prefix), local

    def check_bound(self, attributes: Mapping[str, str]) -> None:
        """Raise ValueError if a prefix like the extension's is not bound.

        XML 1.0 without namespaces allows that, but the same attribute twice
        it does not.
        """
        if extension.ALIAS not in " ".join(attributes):  # as for most servers
            return
        for name in attributes:
            prefix, colon, _ = name.partition(":")
            if (
                colon
                and prefix.startswith(extension.ALIAS)
                and prefix not in self.bound
            ):
                raise ValueError(f"the prefix {prefix} is not bound")

    def given(self, attributes: Mapping[str, str]) -> Sequence[int | None]:
        """Return for each state which of the attributes it is, or None."""
        order = list(attributes)
        given = [
            next(
                (order.index(name) for name in names if name in attributes),
                None,
            )
            for names in self._names
        ]
        return NONE_GIVEN if given == [None, None, None] else given


def _begins_a_name(prefix: str) -> bool:
    """Say whether a name can begin so (XML 1.0, appendix B).

    ``xmlns:0`` is a name, and ``0:vm_state`` is none.
    """
    category = unicodedata.category(prefix[0])
    return prefix[0] == "_" or category in ("Lu", "Ll", "Lt", "Lo", "Nl")
