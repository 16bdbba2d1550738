"""A text's language: told by common words or script, and not guessed when they do not tell."""

import pytest

from shared.domain.languages import language_of, words


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my order? It has not arrived and the tracking is silent.", "en"),
        ("Wo ist meine Bestellung? Sie ist nicht angekommen und die Nummer ist falsch.", "de"),
        ("Bonjour, je ne peux pas ouvrir mon compte avec cette adresse.", "fr"),
        ("Hola, no tengo acceso y la factura es incorrecta, por favor.", "es"),
        ("Olá, eu não tenho uma resposta, você pode ajudar com isto?", "pt"),
        ("मेरा ऑर्डर अभी तक नहीं आया है।", "hi"),
        ("எனது ஆர்டர் இன்னும் வரவில்லை.", "ta"),
        ("Ticket 12345 नमस्ते order shipped yesterday morning", None),
        ("Dov'è il mio ordine?", None),
        ("12345", None),
        ("", None),
    ],
)
def test_a_language_is_told_by_its_words_or_its_script(text: str, language: str | None) -> None:
    assert language_of(words(text)) == language
