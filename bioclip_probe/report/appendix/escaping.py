"""Text that is safe in LaTeX and in Markdown.

Every text of a results folder, such as the name of a taxon or of a model, may hold characters that LaTeX or Markdown
takes for commands. `escape_latex` and `escape_markdown` are the only way for text into the appendix; what is markup
already is marked as `Raw`.
"""

from __future__ import annotations

import re
import unicodedata


class Raw(str):
    r"""A text that is markup already, and is not escaped.

    Examples
    --------
    >>> isinstance(Raw("\\toprule"), str)
    True
    """

    __slots__ = ()


#: Characters of ASCII that LaTeX does not print as they are.
SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
}
#: Mathematical characters; the text fonts lack them.
MATHEMATICS = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon", "η": r"\eta", "θ": r"\theta",
    "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu", "ν": r"\nu", "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau",
    "φ": r"\varphi", "χ": r"\chi", "ω": r"\omega", "Δ": r"\Delta", "Σ": r"\Sigma", "Ω": r"\Omega", "×": r"\times",
    "±": r"\pm", "−": "-", "·": r"\cdot", "≤": r"\le", "≥": r"\ge", "≈": r"\approx", "≠": r"\ne", "→": r"\to",
    "√": r"\surd", "∞": r"\infty", "²": "^{2}", "³": "^{3}", "¹": "^{1}", "°": r"^{\circ}",
}  # fmt: skip
#: Characters beyond ASCII that every LaTeX since 2018 prints in text with the fonts of `\usepackage[T1]{fontenc}`.
IN_FONTS = frozenset(
    "¡£«»¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿĀāĂăĄąĆćĈĉĊċČčĎďĐđĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĨĩĪīĬĭĮį"
    "İıĴĵĶķĹĺĻļĽľŁłŃńŅņŇňŊŋŌōŎŏŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŨũŪūŬŭŮůŰűŲųŴŵŶŷŸŹźŻżŽžǍǎǏǐǑǒǓǔǦǧǨǩǪǫǰǴǵȘșȚțẐẑỲỳ–—‘’“”„…"
)
#: Two neighbours of these would join into another character, such as two hyphens into a dash.
_JOINING = frozenset("-,!?‘’“”")
#: A text character that may end a line within a long word.
_BREAKING = frozenset("/._-:,=@|\\+&")
#: A line may break within a long word, if it cannot break elsewhere.
BREAK = r"\tolbreak{}"


def escape_latex(text: object, longest: int = 18) -> Raw:
    r"""Return a text so that LaTeX prints it as it is.

    Characters that no font of LaTeX has become the command ``\tolchar{HEX}``: it prints the character where the
    engine and its font have it (LuaLaTeX, XeLaTeX), else its number in Unicode.

    Parameters
    ----------
    text : object
        Taken as its `str`; what is `Raw` is returned as it is. It is brought into Unicode's composed form (NFC), and
        runs of white space become one blank.
    longest : int
        A line may break within words of more characters.

    Returns
    -------
    Raw

    Examples
    --------
    >>> print(escape_latex("A & B_1 50% # {}~^"))
    A \& B\_1 50\% \# \{\}\textasciitilde{}\textasciicircum{}
    >>> print(escape_latex("\\input{x}"), escape_latex("λ 猫"))
    \textbackslash{}input\{x\} \ensuremath{\lambda} \tolchar{732B}
    """
    if isinstance(text, Raw):
        return text
    words = unicodedata.normalize("NFC", str(text)).split()
    return Raw(" ".join(_latex_word(word, longest) for word in words))


def _latex_word(word: str, longest: int) -> str:
    """Return a word without white space for LaTeX."""
    letters = [_latex_letter(letter) for letter in word]
    lengths = [len("U+0000") if letter.startswith(r"\tolchar") else 1 for letter in letters]
    is_long, since_break, before, parts = sum(lengths) > longest, 0, "", []
    for letter, latex, length in zip(word, letters, lengths, strict=True):
        if is_long and before and (before in _BREAKING or since_break + length > longest // 2):
            parts.append(BREAK)
            since_break = 0
        elif letter in _JOINING and before in _JOINING:
            parts.append("{}")
        parts.append(latex)
        since_break += length
        before = letter
    return "".join(parts)


def _latex_letter(letter: str) -> str:
    """Return one character for LaTeX."""
    if letter in SPECIAL:
        return SPECIAL[letter]
    if letter in MATHEMATICS:
        return rf"\ensuremath{{{MATHEMATICS[letter]}}}"
    if " " < letter <= "~" or letter in IN_FONTS:
        return letter
    return rf"\tolchar{{{ord(letter):04X}}}"


_MARKDOWN = re.compile(r"([\\`*_{}<>#|~$&!])|(\[)(?![-\d])|(\])(?=[(\[:])")
#: Beginnings of a paragraph that Markdown reads as a list.
_AT_START = re.compile(r"^(?:()([-+])|(\d+)([.)]))(?= |$)")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;", "$": "&#36;"}


def escape_markdown(text: object) -> Raw:
    r"""Return a text so that Markdown prints it as it is, in a paragraph, a list or a cell of a table.

    Parameters
    ----------
    text : object
        Taken as its `str`; what is `Raw` is returned as it is. Runs of white space become one blank.

    Returns
    -------
    Raw

    Examples
    --------
    >>> print(escape_markdown("A|B_1 <b> [x](y) 0.5 [0.4, 0.6]"))
    A&#124;B\_1 &lt;b&gt; \[x\](y) 0.5 [0.4, 0.6]
    """
    if isinstance(text, Raw):
        return text
    one_line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    escaped = _MARKDOWN.sub(lambda match: _ENTITIES.get(match[0], "\\" + match[0]), one_line)
    return Raw(_AT_START.sub(lambda match: rf"{match[1] or match[3] or ''}\{match[2] or match[4]}", escaped))
