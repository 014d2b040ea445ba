"""A scanner for Hive DDL: keywords, names, strings and bracketed groups, from left to right."""

from __future__ import annotations

import re

from sandbox.aws.athena.errors import QueryFailedError

COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
STRING = re.compile(r"'((?:[^'\\]|\\.|'')*)'|\"((?:[^\"\\]|\\.)*)\"")
NAME = re.compile(r"`([^`]+)`|([A-Za-z][A-Za-z0-9_]*)")
TYPE = re.compile(r"[a-z]+(\s*\(\s*\d+(\s*,\s*\d+)?\s*\))?", re.IGNORECASE)
SIMPLE_TYPES = {
    "string", "varchar", "char", "int", "bigint", "smallint", "tinyint", "double", "float", "boolean", "date",
    "timestamp", "decimal", "binary",
}  # fmt: skip
# The reserved words of Athena's DDL that a column is likely to bear.
RESERVED = {
    "all", "alter", "and", "array", "as", "authorization", "between", "bigint", "binary", "boolean", "both", "by",
    "case", "cast", "char", "column", "create", "cross", "current", "cursor", "database", "date", "decimal", "delete",
    "describe", "distinct", "double", "drop", "else", "end", "exists", "external", "extract", "false", "fetch", "float",
    "for", "from", "full", "function", "grant", "group", "grouping", "having", "if", "import", "in", "inner", "insert",
    "int", "integer", "intersect", "interval", "into", "is", "join", "left", "less", "like", "local", "macro", "map",
    "more", "none", "not", "null", "of", "on", "or", "order", "out", "outer", "over", "partition", "percent",
    "preceding", "precision", "procedure", "range", "reads", "revoke", "right", "row", "rows", "select", "set",
    "smallint", "start", "table", "then", "time", "timestamp", "to", "transform", "trigger", "true", "truncate",
    "union", "unique", "update", "user", "using", "utc_timestamp", "values", "varchar", "views", "when", "where",
    "window", "with",
}  # fmt: skip


class Scanner:
    """Reads one statement; `at` is where it stands."""

    def __init__(self, text: str) -> None:
        """Start at the beginning of a statement, comments and the final semicolon removed."""
        self.text = _without_comments(text).strip().rstrip(";").strip()
        self.at = 0

    def keyword(self, *words: str) -> bool:
        """Step over the given words if they come next."""
        pattern = re.compile(r"\s*" + r"\s+".join(words) + r"(?![A-Za-z0-9_])\s*", re.IGNORECASE)
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found is not None

    def symbol(self, symbol: str) -> bool:
        """Step over a symbol if it comes next."""
        found = re.compile(r"\s*" + re.escape(symbol) + r"\s*").match(self.text, self.at)
        if found:
            self.at = found.end()
        return found is not None

    def expect(self, *words: str) -> None:
        """Step over words or symbols that must come next."""
        if not (self.keyword(*words) if words[0].isalpha() else self.symbol(words[0])):
            self.fail(f"expecting {' '.join(words)}")

    def name(self, *, strict: bool = False) -> str:
        """Read a name; `strict` refuses reserved words that are not in backticks."""
        found = NAME.match(self.text, self.at)
        if not found:
            self.fail("expecting a name")
        if strict and found.group(2) and found.group(2).lower() in RESERVED:
            self.fail(
                f"Failed to recognize predicate '{found.group(2)}'. Failed rule: 'identifier' in column specification"
            )
        self.at = found.end()
        return (found.group(1) or found.group(2)).lower()

    def table_name(self, default: str) -> tuple[str, str]:
        """Read [database.]table."""
        first = self.name()
        return (first, self.name()) if self.symbol(".") else (default, first)

    def string(self) -> str:
        """Read a quoted string."""
        self.symbol("")
        found = STRING.match(self.text, self.at)
        if not found:
            self.fail("expecting a string")
        self.at = found.end()
        body = found.group(1) if found.group(1) is not None else found.group(2)
        return re.sub(r"\\(.)", r"\1", body.replace("''", "'"))

    def type(self) -> str:
        """Read a Hive type; refuses names that only Trino or another engine knows."""
        self.symbol("")
        word = re.compile(r"[A-Za-z]\w*").match(self.text, self.at)
        kind = word.group().lower() if word else ""
        if kind in ("array", "map", "struct"):
            self.at = word.end()
            return kind + self._type_arguments(kind)
        found = TYPE.match(self.text, self.at)
        if kind not in SIMPLE_TYPES or not found:
            self.fail(f"cannot recognize input near '{kind}' in column type")
        self.at = found.end()
        return re.sub(r"\s", "", found.group().lower())

    def _type_arguments(self, kind: str) -> str:
        self.expect("<")
        parts = []
        while True:
            label = ""
            if kind == "struct":
                label = self.name() + ":"
                self.expect(":")
            parts.append(label + self.type())
            if not self.symbol(","):
                break
        self.expect(">")
        return f"<{','.join(parts)}>"

    def columns(self) -> list[dict[str, str]]:
        """Read (name type [COMMENT 'text'], …)."""
        self.expect("(")
        found: list[dict[str, str]] = []
        while True:
            column = {"Name": self.name(strict=True), "Type": self.type()}
            if self.keyword("COMMENT"):
                column["Comment"] = self.string()
            found.append(column)
            if not self.symbol(","):
                break
        self.expect(")")
        names = [column["Name"] for column in found]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            message = f"FAILED: SemanticException [Error 10036]: Duplicate column name: {doubled[0]}"
            raise QueryFailedError(message)
        return found

    def pairs(self) -> dict[str, str]:
        """Read ('key'='value', …) or (key='value', …)."""
        self.expect("(")
        found: dict[str, str] = {}
        while True:
            key = self.string() if self.text[self.at : self.at + 1] in "'\"" else self.name()
            self.expect("=")
            found[key] = self.string()
            if not self.symbol(","):
                break
        self.expect(")")
        return found

    def rest(self) -> str:
        """Return what is left."""
        return self.text[self.at :].strip()

    def end(self) -> None:
        """Fail when something is left."""
        if self.rest():
            self.fail("extraneous input")

    def fail(self, why: str) -> None:
        """Fail like Hive's parser, naming the place."""
        before = self.text[: self.at]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)
        near = self.text[self.at : self.at + 30].split("\n")[0]
        message = f"FAILED: ParseException line {line}:{column} {why} near '{near or '<EOF>'}'"
        raise QueryFailedError(message)


def _without_comments(text: str) -> str:
    pattern = re.compile(f"{STRING.pattern}|`[^`]*`|({COMMENT.pattern})", re.DOTALL)
    return pattern.sub(lambda found: " " if found.group(3) else found.group(), text)
