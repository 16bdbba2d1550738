"""HTML to text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.html_text import text_from


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("<div><div>One</div></div><div>Two</div>", "One\nTwo"),
        ("One<br>Two<br/>Three", "One\nTwo\nThree"),
        ("<ul><li>One<li>Two</ul>", "- One\n- Two"),
        ("a  b\n c", "a b c"),
        ("<pre>a  b\n c</pre>", "a  b\nc"),
        ("Fish &amp; chips &euro;5", "Fish & chips €5"),
        ("<style>p{}</style><script>evil()</script>Seen", "Seen"),
        ("<html><head><title>No</title></head><body>Yes</body></html>", "Yes"),
        ('<div style="display: none">hidden <b>too</b></div>Shown', "Shown"),
        ('<span style="display:none">preheader</span>Shown', "Shown"),
        ('<div style="max-height:0px;overflow:hidden">preheader</div>Shown', "Shown"),
        ('<p style="max-height:0.5em">kept</p>', "kept"),
        ('<font style="visibility: hidden">x</font>Shown', "Shown"),
        ("<b>bold</b> and <i>not</i>", "bold and not"),
        ("<p>unclosed <b>tags", "unclosed tags"),
        ("text < 5 and > 3", "text < 5 and > 3"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<![if !mso]>kept<![endif]>", "kept"),
        ("<!-- not this -->but this", "but this"),
        ("<SCRIPT>if (a<b) {'</div>'}</SCRIPT>after", "after"),
        ("<svg><svg>deep</svg>still</svg>after", "after"),
        ("an end that <never comes", "an end that <never comes"),
        ("<div>One</div><br> <div>Two</div>", "One\nTwo"),
        ("", ""),
    ],
)
def test_html_is_read_as_it_would_be_seen(html: str, text: str) -> None:
    assert text_from(html) == text


@given(st.text(st.sampled_from("<>/!-&;[]\"'= abpdivscrt\n"), max_size=200))
def test_no_markup_is_too_broken_to_be_read(html: str) -> None:
    text_from(html)


@pytest.mark.parametrize(
    "bait",
    [
        "<",
        "<a ",
        "<!--",
        "<div>",
        "&",
        "<![CDATA[",
        "</",
        "<p style=",
        "<script>",
        "<pre> ",
        "<object>",
        "<br> ",
    ],
)
def test_hostile_markup_of_a_quarter_megabyte_is_read_within_two_seconds(bait: str) -> None:
    started = time.process_time()
    text_from(bait * (256 * 1024 // len(bait)))

    assert time.process_time() - started < 2.0
