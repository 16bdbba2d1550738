"""Charsets that nobody declared."""

# ruff: noqa: RUF001 (letters of other scripts are what this is about)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.charset_guess import guess
from services.ingest.text import decode

RUSSIAN = "Здравствуйте, я не могу войти в свой кабинет, пароль не подходит."
JAPANESE = "こんにちは。ログインできません。パスワードを忘れました。"
ENGLISH = "The printer is on fire, please help us before Friday."


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("cp1251", RUSSIAN),
        ("koi8-r", RUSSIAN),
        ("iso8859-5", RUSSIAN),
        ("cp866", RUSSIAN),
        ("cp1253", "Καλημέρα σας, δεν μπορώ να συνδεθώ στον λογαριασμό μου."),
        ("cp1255", "שלום, אני לא מצליח להיכנס לחשבון שלי. אשמח לעזרה בהקדם"),
        ("cp1256", "مرحبا، لا أستطيع الدخول إلى حسابي. أرجو المساعدة في أقرب وقت ممكن"),
        ("cp874", "สวัสดีครับ ผมไม่สามารถเข้าสู่ระบบได้ กรุณาช่วยเหลือด้วยครับ"),
        ("cp932", JAPANESE),
        ("euc_jp", JAPANESE),
        ("iso2022_jp", JAPANESE),
        ("gb18030", "您好，我无法登录我的账户，请帮助我重置密码。谢谢您的支持。"),
        ("big5hkscs", "您好，我無法登入我的帳戶，請幫助我重設密碼。謝謝您的支持。"),
        ("cp949", "안녕하세요, 제 계정에 로그인할 수 없습니다. 비밀번호를 재설정해 주세요."),
        ("iso2022_kr", "안녕하세요, 제 계정에 로그인할 수 없습니다."),
        ("cp1252", "Grüße aus München: für später müßte ich wissen, wann Sie öffnen. Jürgen Müller"),
        ("cp1252", "L'été dernier, j'ai acheté une théière cassée à la brocante, ça m'a déçu"),
        ("utf-16", "Grüße"),
    ],
)
@pytest.mark.parametrize("around", ["", ENGLISH])
def test_text_in_a_charset_that_is_not_declared_is_read(charset: str, text: str, around: str) -> None:
    assert decode(f"{around}\n{text}\n{around}".encode(charset)) == f"{around}\n{text}\n{around}"


def test_a_wrong_declaration_is_guessed_past() -> None:
    assert decode(RUSSIAN.encode("koi8-r"), "utf-8") == RUSSIAN


def test_a_declared_charset_that_fits_is_never_guessed_past() -> None:
    assert decode(RUSSIAN.encode("koi8-r"), "iso-8859-1") == RUSSIAN.encode("koi8-r").decode(
        "cp1252", "replace"
    )


def test_a_long_text_is_guessed_by_its_beginning_even_when_a_character_is_cut_there() -> None:
    for shift in range(2):
        text = "a" * shift + JAPANESE * 400
        assert decode(text.encode("cp932")) == text


def test_of_a_few_letters_nothing_is_guessed() -> None:
    assert guess("Ура".encode("koi8-r")) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_guessed_or_not_and_nothing_is_raised(data: bytes) -> None:
    found = guess(data)
    assert found is None or isinstance("".encode(found), bytes)
