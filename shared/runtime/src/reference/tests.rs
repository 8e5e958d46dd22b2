//! The page of an API says what its document says.

use serde_json::json;

use super::*;

fn page(document: &Value) -> String {
    Page::of("ledger", document).unwrap().render().unwrap()
}

fn document() -> Value {
    json!({
        "paths": { "/v1/notes/{id}": { "put": {
            "operationId": "putNotesById", "summary": "Write <b>", "tags": ["notes"],
            "x-guard": "Caller<notes:write>", "x-policy": "money", "x-layers": ["host", "waf"],
            "security": [{ "access_token": ["notes:write"] }, {}],
            "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/Id" } }],
            "requestBody": { "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Note" }, "example": { "text": "Bread & butter" }
            } } },
            "responses": {
                "204": { "description": "No Content", "headers": { "Idempotent-Replayed": { "description": "Again." } },
                    "links": { "getNotesById": { "operationId": "getNotesById" } } },
                "400": { "description": "Bad Request\n- more", "headers": { "Retry-After": {} }, "content": {
                    "application/json": { "schema": { "$ref": "#/components/schemas/Note" } },
                    "application/problem+json": { "schema": { "allOf": [
                        { "$ref": "#/components/schemas/Problem" }, { "properties": { "code": { "enum": ["request.invalid"] } } }
                    ] } }
                } }
            }
        } } },
        "components": {
            "securitySchemes": { "access_token": { "type": "http", "scheme": "DPoP", "description": "Of `who`." } },
            "schemas": {
                "Id": { "type": "string", "format": "uuid", "examples": ["01890a5d"] },
                "Note": { "type": "object", "required": ["text"], "properties": {
                    "next": { "$ref": "#/components/schemas/Note" },
                    "text": { "type": "string", "maxLength": 7, "description": "What it says.",
                        "default": "", "pattern": format!("^[{}]*$", "a".repeat(80)) },
                    "kind": { "enum": ["short", "long"], "type": "string" },
                    "state": { "$ref": "#/components/schemas/State" },
                    "build": { "oneOf": [
                        { "type": "integer", "minimum": 3, "examples": [10402] },
                        { "type": "string", "maxLength": 32 },
                        { "type": "object", "required": ["major"], "properties": { "major": { "type": "integer" } } },
                        { "type": "object", "required": ["minor"], "properties": { "minor": { "type": "integer" } } }
                    ] },
                    "amount": { "oneOf": [
                        { "type": "object", "properties": { "text": {}, "currency": { "enum": ["AUD", "BRL", "CAD", "CHF", "EUR", "GBP"] } } },
                        { "type": "object", "properties": { "text": {}, "currency": { "const": "JPY" } } },
                        { "$ref": "#/components/schemas/Problem" }
                    ] },
                    "inner": { "type": "object", "properties": { "a": { "type": "integer" } } },
                    "proof": { "anyOf": [{ "$ref": "#/components/schemas/Id" }, { "type": "null" }] }
                } },
                "State": { "description": "Where it stands.", "oneOf": [
                    { "const": "sent", "description": "`A` partner has it.", "type": "string" },
                    { "const": "lost", "description": "Nobody has it.", "type": "string" }
                ] },
                "Problem": { "type": "object", "properties": { "code": { "type": "string", "examples": ["request.invalid"] } } }
            }
        }
    })
}

#[test]
fn it_shows_all_of_an_operation_escaped_and_without_a_script() {
    let page = page(&document());
    for shown in [
        "<span class=\"method PUT\">PUT</span> <code>/v1/notes/{id}</code></h3>",
        "Write &#60;b&#62;",
        "<code>putNotesById</code>",
        "<code>Caller&#60;notes:write&#62;</code>",
        "<li>host</li><li>waf</li>",
        "<a href=\"#scheme-access_token\"><code>access_token</code></a> <span class=\"note\">scope</span> <code>notes:write</code>",
        "none of it",
        "Authorization: DPoP …",
        "Of <code>who</code>.",
        "<span class=\"note\">path</span> <span class=\"must\">required</span>",
        "Id, text, uuid",
        "<span>if absent <code>&#34;&#34;</code></span>",
        "<details><summary>pattern</summary>",
        "for example <code>01890a5d</code>",
        "greatest length <code>7</code>",
        "one of <code>short</code> <code>long</code>",
        "<p>Where it stands.</p>",
        "<li><code>sent</code> <code>A</code> partner has it.</li>",
        "<li><code>lost</code> Nobody has it.</li>",
        "<li><span class=\"kind\">integer</span>\n<p class=\"limits\"><span>at least <code>3</code></span> </p>\n<p class=\"limits\">for example <code>10402</code></p></li>",
        "<li><span class=\"kind\">text</span>\n<p class=\"limits\"><span>greatest length <code>32</code></span> </p></li>",
        // A form is known before it is opened: by what it must have, by its values, by its name.
        "<summary>one of several, form 3 of 4: with major</summary>",
        "<summary>one of several, form 4 of 4: with minor</summary>",
        "<summary>one of several, form 1 of 3: currency AUD, BRL, CAD, CHF and 2 more</summary>",
        "<summary>one of several, form 2 of 3: currency JPY</summary>",
        "<summary>one of several, form 3 of 3: Problem</summary>",
        // What has no name is not named.
        "<summary>Members</summary>",
        "<p class=\"kind\">Id, text, uuid or null</p>",
        "Bread &#38; butter",
        "<span class=\"status good\">204</span> No Content",
        "<code>Idempotent-Replayed</code>",
        "Its <code>id</code> is taken by <a href=\"#getNotesById\"><code>getNotesById</code></a>.",
        "<span class=\"status bad\">400</span> Bad Request",
        "<code>request.invalid</code> The body, a path segment",
        "with <code>Retry-After</code>",
        "or <code>application/json</code>",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("<script") && !page.contains("style=") && !page.contains("src="), "{page}");
    // What must be there comes first.
    assert!(page.find("<code>text</code> <span").unwrap() < page.find("<code>kind</code>").unwrap());
}

#[test]
fn a_document_that_lacks_something_is_an_error() {
    for lost in ["operationId", "summary", "tags", "x-guard", "x-policy"] {
        let mut document = document();
        document["paths"]["/v1/notes/{id}"]["put"].as_object_mut().unwrap().remove(lost);
        assert!(Page::of("ledger", &document).is_err(), "{lost}");
    }
}
