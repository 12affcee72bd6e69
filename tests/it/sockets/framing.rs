//! F33: where two readers of the same bytes could see different requests, there is one request or none.

use super::{framed, handled, post, turned_away};
use crate::support::{Connection, Home, first_message, parse, raw, until};

/// One chunk and the last.
fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

#[test]
fn ambiguous_framing_is_400_and_the_connection_ends_before_another_request() {
    let smuggled = post("smuggled", "");
    let body = first_message("outer", 1.0);
    let (length, whole) = (body.len(), chunked(&body));
    let te = "transfer-encoding: chunked\r\n";
    for (what, bytes) in [
        (
            "two lengths that differ",
            framed(&format!("content-length: {length}\r\ncontent-length: 5\r\n"), &body),
        ),
        ("two lengths in one line", framed(&format!("content-length: {length}, 5\r\n"), &body)),
        ("a length with a sign", framed(&format!("content-length: +{length}\r\n"), &body)),
        ("a negative length", framed("content-length: -1\r\n", &body)),
        ("a length in hex", framed(&format!("content-length: 0x{length:x}\r\n"), &body)),
        ("a length with a blank in it", framed("content-length: 1 0\r\n", &body)),
        ("an empty length", framed("content-length: \r\n", &body)),
        ("a length that overflows", framed("content-length: 18446744073709551617\r\n", &body)),
        ("a space before the colon", framed(&format!("content-length : {length}\r\n"), &body)),
        (
            "a space before the colon of transfer-encoding",
            framed(&format!("transfer-encoding : chunked\r\ncontent-length: {length}\r\n"), &body),
        ),
        ("a folded line", framed(&format!("x-a: b\r\n c\r\ncontent-length: {length}\r\n"), &body)),
        ("a folded transfer-encoding", framed("transfer-encoding:\r\n chunked\r\n", &whole)),
        ("a first line that is folded", framed(&format!(" content-length: {length}\r\n"), &body)),
        ("a header without a colon", framed(&format!("nonsense\r\ncontent-length: {length}\r\n"), &body)),
        ("a header without a name", framed(&format!(": x\r\ncontent-length: {length}\r\n"), &body)),
        ("a bare CR in a header", framed(&format!("x-a: b\rx-c: d\r\ncontent-length: {length}\r\n"), &body)),
        ("a NUL in a header", framed(&format!("x-a: b\0c\r\ncontent-length: {length}\r\n"), &body)),
        ("an unknown transfer-encoding", framed("transfer-encoding: xchunked\r\n", &whole)),
        ("chunked, but not last", framed("transfer-encoding: chunked, identity\r\n", &whole)),
        (
            "identity and a length",
            framed(&format!("transfer-encoding: identity\r\ncontent-length: {length}\r\n"), &body),
        ),
        ("transfer-encoding in HTTP/1.0", framed(te, &whole).replace("HTTP/1.1", "HTTP/1.0")),
        ("a chunk size that is none", framed(te, "zz\r\nabc\r\n0\r\n\r\n")),
        ("a chunk size with a sign", framed(te, "+5\r\nabcde\r\n0\r\n\r\n")),
        ("a chunk size that overflows", framed(te, "fffffffffffffffff\r\nabc\r\n0\r\n\r\n")),
        ("a chunk without its end", framed(te, "3\r\nabcdef\r\n0\r\n\r\n")),
        ("a chunk size ended by LF alone", framed(te, "5\nabcde\r\n0\r\n\r\n")),
        ("an unknown version", framed("content-length: 0\r\n", "").replace("HTTP/1.1", "HTTP/1.2")),
        ("no version", "POST /webhooks\r\n\r\n".to_owned()),
        ("a target with a space", framed("content-length: 0\r\n", "").replace("/webhooks", "/web hooks")),
        ("a method that is none", framed("content-length: 0\r\n", "").replace("POST", "PO(ST")),
    ] {
        let home = Home::new();
        let program = home.start();
        let answer = raw(program.listen, format!("{bytes}{smuggled}").as_bytes()).unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(parse(&answer).map(|answer| answer.status), Some(400), "{what}: {text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{what}: one answer, then the end: {text}");
        assert_eq!(program.app_user("smuggled").status, 404, "{what}");
        assert_eq!((home.rows("journal"), home.rows("quarantine")), (0, 0), "{what}");
    }
}

/// RFC 9112, 6.3, leaves the choice: hyper uses the chunks alone and closes. A proxy before it could have used the
/// length, so the test is that nothing after the chunks is parsed as a request.
#[test]
fn a_length_beside_chunks_counts_for_nothing_and_the_connection_ends_with_that_request() {
    let smuggled = post("smuggled", "");
    let whole = chunked(&first_message("outer", 1.0));
    let te = "transfer-encoding: chunked\r\n";
    for length in [0, 5, whole.len(), whole.len() + smuggled.len(), 1_000_000] {
        let length = format!("content-length: {length}\r\n");
        for framing in [format!("{length}{te}"), format!("{te}{length}")] {
            let home = Home::new();
            let program = home.start();
            let answer =
                raw(program.listen, format!("{}{smuggled}", framed(&framing, &whole)).as_bytes()).unwrap();
            let text = String::from_utf8_lossy(&answer);
            assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{framing}: {text}");
            assert!(
                text.starts_with("HTTP/1.1 200 OK") && text.contains("connection: close"),
                "{framing}: {text}"
            );
            assert_eq!((handled(&program), home.rows("journal")), (1.0, 1), "{framing}");
            assert_eq!(program.app_user("smuggled").status, 404, "{framing}");
        }
    }
}

#[test]
fn odd_but_unambiguous_framing_is_one_request() {
    let body = first_message("outer", 1.0);
    let (length, whole) = (body.len(), chunked(&body));
    let te = "transfer-encoding: chunked\r\n";
    let pieces: String = body.bytes().map(|byte| format!("1\r\n{}\r\n", char::from(byte))).collect();
    for (what, bytes) in [
        ("chunks of one byte", framed(te, &format!("{pieces}0\r\n\r\n"))),
        ("a chunk extension", framed(te, &format!("{length:x};a=b\r\n{body}\r\n0\r\n\r\n"))),
        ("zeroes before a chunk size", framed(te, &format!("0000{length:x}\r\n{body}\r\n0\r\n\r\n"))),
        ("trailers", framed(te, &format!("{length:x}\r\n{body}\r\n0\r\nx-api-key: other\r\n\r\n"))),
        ("CHUNKED", framed("Transfer-Encoding: CHUNKED\r\n", &whole)),
        (
            "two lengths that are equal",
            framed(&format!("content-length: {length}\r\ncontent-length: {length}\r\n"), &body),
        ),
        ("zeroes before the length", framed(&format!("content-length: 000{length}\r\n"), &body)),
        ("empty lines before the request", format!("\r\n\r\n{}", post("outer", ""))),
        ("lines ended by LF alone", post("outer", "").replace("\r\n", "\n")),
        ("an absolute target", post("outer", "").replace("/webhooks", "http://other/webhooks")),
        ("no host", post("outer", "").replace("host: x\r\n", "")),
    ] {
        let home = Home::new();
        let program = home.start();
        let next = post("next", "connection: close\r\n");
        let answer = raw(program.listen, format!("{bytes}{next}").as_bytes()).unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{what}: {text}");
        assert_eq!(handled(&program), 2.0, "{what}");
        assert_eq!(home.rows("journal"), 2, "{what}: itself and the next");
        assert_eq!(
            home.find::<i64>("SELECT count(*) FROM app_users WHERE id IN ('outer', 'next')"),
            2,
            "{what}"
        );
    }
}

#[test]
fn a_length_shorter_than_the_body_makes_one_request_and_an_end() {
    let home = Home::new();
    let program = home.start();
    let body = format!("{}{}", first_message("outer", 1.0), "trailing bytes that are no request\r\n\r\n");
    let length = first_message("outer", 1.0).len();
    let answer =
        raw(program.listen, framed(&format!("content-length: {length}\r\n"), &body).as_bytes()).unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.contains("HTTP/1.1 400 Bad Request"), "{text}");
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (1, 0));
    until("it is counted", || turned_away(&program, "bad_request") == 1.0);
}

#[test]
fn a_body_that_breaks_off_is_not_stored_and_not_in_quarantine() {
    let home = Home::new();
    let program = home.start();
    let body = first_message("outer", 1.0);
    for framing in
        [format!("content-length: {}\r\n", body.len() + 1), "transfer-encoding: chunked\r\n".to_owned()]
    {
        let mut connection = Connection::open(program.listen);
        let sent =
            if framing.starts_with('c') { body.clone() } else { format!("{:x}\r\n{body}\r\n", body.len()) };
        connection.send(framed(&framing, &sent));
        connection.stream().shutdown(std::net::Shutdown::Write).unwrap();
        let answer = connection.answer().unwrap();
        // Not a 400, after which Smooch would never send the whole of it.
        assert_eq!((answer.status, answer.code().as_str()), (408, "incomplete_body"), "{framing}");
        assert!(connection.closes());
    }
    assert_eq!(program.metric("rollcall_webhook_rejected_total{reason=\"incomplete_body\"}"), 2.0);
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (0, 0));
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let program = Home::new().start();
    let mut connection = Connection::open(program.listen);
    let mut expected = Vec::new();
    let mut bytes = String::new();
    for n in 0..20 {
        bytes += &post(&format!("user-{n}"), "");
        bytes += "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\nGET /v1/appusers HTTP/1.1\r\nhost: x\r\n\r\n";
        bytes += "PUT /webhooks HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
        expected.extend([200, 404, 401, 405]);
    }
    connection.send(bytes);
    let answered: Vec<u16> = expected.iter().map(|_| connection.answer().unwrap().status).collect();
    assert_eq!(answered, expected);
    assert_eq!(program.all_app_users().len(), 20);
}

#[test]
fn connection_close_is_honoured_and_so_is_http_1_0() {
    let program = Home::new().start();
    let mut closing = Connection::open(program.listen);
    closing.send(post("a", "connection: close\r\n"));
    let answer = closing.answer().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(closing.closes());
    let mut old = Connection::open(program.listen);
    old.send(post("b", "").replace("HTTP/1.1", "HTTP/1.0"));
    assert_eq!(old.answer().unwrap().status, 200);
    assert!(old.closes());
    let mut kept = Connection::open(program.listen);
    for n in 0..3 {
        assert_eq!(kept.ask("GET", "/webhooks", &[], b"").status, 200, "{n}");
    }
}

/// F32.
#[test]
fn http_2_is_refused_and_an_offer_to_change_to_it_is_not_taken() {
    let home = Home::new();
    let program = home.start();
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let answer = raw(program.listen, preface.as_bytes()).unwrap_or_default();
    let status = parse(&answer).map(|answer| answer.status);
    assert!(matches!(status, None | Some(400 | 505)), "{}", String::from_utf8_lossy(&answer));
    let offer = post(
        "a",
        "connection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
    );
    let answer = parse(&raw(program.listen, offer.as_bytes()).unwrap()).unwrap();
    assert_eq!(answer.status, 200, "answered as HTTP/1.1");
    assert_eq!((handled(&program), home.rows("journal")), (1.0, 1));
}
