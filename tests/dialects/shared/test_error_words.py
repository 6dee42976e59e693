from __future__ import annotations

import json

import pytest

from agcore.dialects.shared.error_words import MAX_LINE, unwrapped, words_of_text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error":{"message":"m","code":"c"}}', "m"),
        ('[{"error":{"message":"m"}}]', "m"),
        ('{"error":"m"}', "m"),
        ('"m"', "m"),
        ('["m"]', "m"),
        ('{"error":["m"]}', "m"),
        ('{"message":"m"}', "m"),
        ('{"errors":[{"message":"m"},{"message":"n"},7,{}]}', "m; n"),
        ('{"errors":["m"]}', "m"),
        ('{"errors":{"model":["is unknown"],"n":"too large","x":[]}}', "model: is unknown; n: too large"),
        ('{"msg":"m","code":500}', "m"),
        ('{"error":null,"message":"m"}', "m"),
        ('{"error":{},"message":"m"}', "m"),
        ('{"error":true,"message":"m"}', "m"),
        ('{"error":"Bad Request","message":["m","n"],"statusCode":400}', "Bad Request: m; n"),
        ('{"error":"Not Found","message":"Not Found: m","path":"/x"}', "Not Found: m"),
        ('{"error":"invalid_grant","error_description":"m"}', "invalid_grant: m"),
        ('{"detail":"m"}', "m"),
        ('{"detail":[{"loc":["body"],"msg":"m"},{"msg":"n"},7]}', "m; n"),
        ('{"detail":[{"loc":["body","messages",0,"role"],"msg":"m"}]}', "messages.0.role: m"),
        ('{"detail":[{"loc":"x","msg":"m"}]}', "m"),
        ('{"detail":{"message":"m"}}', "m"),
        ('{"title":"t","status":404,"detail":"m"}', "m"),
        ('{"title":"t"}', "t"),
        ('{"base_resp":{"status_code":1002,"status_msg":"m"},"choices":null}', "m"),
        ('{"error_code":17,"error_msg":"m"}', "m"),
        ('{"Message":"m"}', "m"),
        ('{"fault":{"faultstring":"m","detail":{"errorcode":"x"}}}', "m"),
        ('{"reason":"m"}', "m"),
        ('{"result":{"message":"m"},"code":3}', "m"),
        ('{"data":{"error":"m"}}', "m"),
        ('{"data":{"error":{"description":"m"}}}', "m"),
        ('{"detail":[[["deep"]]]}', ""),
        ('{"detail":{"detail":{"detail":{"detail":{"detail":"deep"}}}}}', ""),
        ('{"error":{"message":7}}', ""),
        ('{"failed":"m"}', ""),
        ("{}", ""),
        ("[]", ""),
        ("7", ""),
        ("null", ""),
    ],
)
def test_the_words_of_an_error_are_found_wherever_they_stand(body: str, words: str) -> None:
    assert unwrapped(json.loads(body)).get("message", "") == words


def test_an_errors_own_members_are_kept() -> None:
    error = {"message": "m", "type": "t", "x": [1]}
    assert unwrapped({"error": error}) == unwrapped(error) == error
    assert unwrapped({"msg": "m", "code": 3, "type": "t", "x": 1}) == {"code": 3, "type": "t", "message": "m"}


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"404 page not found\n", b"text/plain", "404 page not found"),
        (b"\n \n no \x1b[31mhealthy\tupstream \nat all", b"", "no [31mhealthy upstream"),
        (b"Invalid model name", b"application/json", "Invalid model name"),
        (b"<html><head><title>502 Bad\nGateway</title></head>", b"text/html", "502 Bad"),
        (b"<!DOCTYPE html><style>b{}</style><body><p>Try later</p>", b"text/html", "Try later"),
        (b"<?xml version='1.0'?><Error><Code>X</Code><Message>Denied</Message></Error>", b"application/xml", "Denied"),
        (b'event: error\ndata: {"error":{"message":"busy"}}\n\n', b"text/event-stream", "busy"),
        (b"data: busy\n\n", b"text/event-stream", "busy"),
        (b"data: 7\n\n", b"text/event-stream", ""),
        (b"event: error\n\n", b"text/event-stream", "event: error"),
        (b'{"error":{"mess', b"application/json", ""),
        (b"caf\xe9", b"text/plain", "caf\ufffd"),
        (b"a\0b", b"text/plain", ""),
        (b"\x89PNG", b"image/png", ""),
        (b"", b"text/plain", ""),
        (b" \n ", b"", ""),
    ],
)
def test_a_text_says_its_first_line(body: bytes, kind: bytes, words: str) -> None:
    assert words_of_text(body, kind) == words


def test_a_long_line_is_cut() -> None:
    assert words_of_text("é".encode() * 1000, b"text/plain") == "é" * (MAX_LINE - 1) + "…"


def test_no_word_is_cut_which_might_be_a_key() -> None:
    for before in (0, 1, 280, 290, 297, 298, 299, 400):
        said = words_of_text(b"no " + b"x " * (before // 2) + b"sk-secret" * 20 + b" is bad " * 50, b"text/plain")
        assert len(said) <= MAX_LINE
        assert said.count("sk-secret") in (0, 20)
        assert "sk-" not in said.replace("sk-secret" * 20, "")
