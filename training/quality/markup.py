"""HTML by functions: text is escaped unless a function here made it, so nothing a user names can become markup."""

import html


class Html(str):
    """Markup, to be left as it is."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str) -> Html:
    """<name attributes>children</name>; `class_` gives `class`. Children that are no Html are escaped."""
    return Html(f"{_open(name, attributes)}{join(children)}</{name}>")


def void(name: str, /, **attributes: str) -> Html:
    """An element without content, such as <img>."""
    return Html(_open(name, attributes))


def join(children: "tuple[str, ...] | list[str]") -> Html:
    """Children one after the other, escaped where they are no Html."""
    return Html("".join(child if isinstance(child, Html) else html.escape(child) for child in children))


def table(head: list[str], rows: list[list[str]], **attributes: str) -> Html:
    """A table that scrolls sideways by itself where the screen is narrow; the first cell of a row is its heading."""
    titles = tag("thead", tag("tr", *(tag("th", title, scope="col") for title in head))) if head else Html("")
    body = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    return tag("div", tag("table", titles, tag("tbody", *body), **attributes), class_="scroll")


def _open(name: str, attributes: dict[str, str]) -> str:
    words = [f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items()]
    return f"<{name}{''.join(words)}>"
