//! Files: put by a form, taken as bytes, and seen by nobody who may not.

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use http::StatusCode;
use peerd_core::ArtifactId;
use peerd_core::authz::Role;
use peerd_core::security::Security;
use peerd_node::artifact::ArtifactAt;
use peerd_store::Blobs as _;

use crate::{Reply, Site, UPLOAD_BYTES_MAX, Visitor, request};

const BOUNDARY: &str = "----a-boundary";
const FILES: &str = "/console/files/flights";

/// A form with a file as a browser sends it, its token first and the file last.
fn form(fields: &[(&str, &str)], name: &str, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in fields {
        let part =
            format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         content-type: text/html\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

impl Site {
    async fn send_file(&self, path: &str, visitor: &Visitor, body: Body) -> Reply {
        let mut request = request("POST", path, Some(visitor), String::new());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        request
            .headers_mut()
            .insert("content-type", kind.parse().unwrap());
        let (parts, _) = request.into_parts();
        self.reply(http::Request::from_parts(parts, body)).await
    }

    async fn upload(&self, visitor: &Visitor, fields: &[(&str, &str)], name: &str, content: &[u8]) -> Reply {
        let mut all = vec![("form_token", visitor.form_token.as_str())];
        all.extend_from_slice(fields);
        // As a line brings it: in pieces.
        let whole = Bytes::from(form(&all, name, content));
        let pieces = (0..whole.len()).step_by(60_000);
        let pieces: Vec<_> = pieces
            .map(|from| Ok::<_, std::io::Error>(whole.slice(from..whole.len().min(from + 60_000))))
            .collect();
        let body = Body::from_stream(stream::iter(pieces));
        self.send_file(&format!("{FILES}/upload"), visitor, body).await
    }

    /// Uploads, and gives the path of what came of it.
    async fn uploaded(
        &self,
        visitor: &Visitor,
        fields: &[(&str, &str)],
        name: &str,
        content: &[u8],
    ) -> String {
        let reply = self.upload(visitor, fields, name, content).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
        reply.headers["location"].to_str().unwrap().to_owned()
    }

    async fn names(&self) -> Vec<String> {
        let node = &self.kit.node;
        let listed = node
            .list_artifacts(&self.admin, "flights", &[].into(), None, 100)
            .await;
        let artifacts = listed.unwrap().artifacts;
        artifacts.into_iter().map(|view| view.artifact.name).collect()
    }

    async fn bytes(&self, path: &str, visitor: &Visitor) -> (http::response::Parts, Bytes) {
        let response = self
            .send(request("GET", path, Some(visitor), String::new()))
            .await;
        let (parts, body) = response.into_parts();
        (parts, axum::body::to_bytes(body, usize::MAX).await.unwrap())
    }
}

#[tokio::test]
async fn b096_what_is_uploaded_is_what_is_downloaded_and_no_browser_shows_it() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    for size in [0, 1, 300_000, 2 << 20] {
        let mut content: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
        // What looks like the end of the form is part of the file.
        if size > 1 {
            content.extend_from_slice(b"\r\n----a-boun");
        }
        let path = site
            .uploaded(&visitor, &[("tags", "a\r\nb")], "<b>.html", &content)
            .await;
        let page = site.get(&path, Some(&visitor)).await;
        assert!(page.body.contains("&lt;b&gt;.html") && !page.body.contains("<b>"));
        assert!(page.body.contains(&blake3_of(&content)));
        let (head, body) = site.bytes(&format!("{path}/content"), &visitor).await;
        assert!(body == content, "{size}");
        assert_eq!(head.headers["content-type"], "application/octet-stream");
        assert_eq!(head.headers["x-content-type-options"], "nosniff");
        assert_eq!(head.headers["content-length"], content.len().to_string());
        let disposition = head.headers["content-disposition"].to_str().unwrap();
        assert!(
            disposition.starts_with("attachment; filename=\"_b_.html\""),
            "{disposition}"
        );
        assert!(
            head.headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("default-src 'none'")
        );
    }
    let tagged = site.get(&format!("{FILES}?tag=a"), Some(&visitor)).await;
    assert_eq!(tagged.body.matches("<tr>").count(), 5, "a head and four files");
    let none = site.get(&format!("{FILES}?tag=c"), Some(&visitor)).await;
    assert!(none.body.contains("No file that you may see has this tag"));
}

fn blake3_of(content: &[u8]) -> String {
    peerd_core::ContentHash::from_bytes(*blake3::hash(content).as_bytes()).to_string()
}

#[tokio::test]
async fn b095_a_hostile_name_is_text_on_every_page_and_in_every_header() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let long = "\u{1f4c4}".repeat(10_000);
    for name in [
        "../../etc/passwd",
        "a\u{202e}fdp.exe",
        "\u{1}\u{7}",
        "\"; filename=\"x.exe",
        "<script>alert(1)</script>",
        &long,
    ] {
        let path = site.uploaded(&visitor, &[("name", name)], "x", b"bytes").await;
        let list = site.get(FILES, Some(&visitor)).await;
        let one = site.get(&path, Some(&visitor)).await;
        let ask = site.get(&format!("{path}/delete"), Some(&visitor)).await;
        for page in [&list, &one, &ask] {
            assert_eq!(page.status, StatusCode::OK);
            assert!(
                !page.body.contains("<script>alert") && !page.body.contains("<bdi class=\"file\">\u{202e}")
            );
        }
        let (head, body) = site.bytes(&format!("{path}/content"), &visitor).await;
        assert_eq!(body, "bytes");
        let disposition = head.headers["content-disposition"].to_str().unwrap();
        assert_eq!(disposition.matches('"').count(), 2, "{disposition}");
        assert!(!disposition.contains(['/', '\\', '\u{202e}']), "{disposition}");
        site.post(&format!("{path}/delete"), &visitor, "").await;
    }
    let refused = site.upload(&visitor, &[("name", "a\0b")], "x", b"bytes").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(site.names().await.is_empty());
}

#[tokio::test]
async fn a_form_with_a_file_is_refused_without_its_token_and_from_elsewhere() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let path = format!("{FILES}/upload");
    let none = site
        .send_file(&path, &visitor, form(&[], "x", b"bytes").into())
        .await;
    assert_eq!(none.status, StatusCode::FORBIDDEN);
    let forged = form(&[("form_token", "0")], "x", b"bytes");
    let forged = site.send_file(&path, &visitor, forged.into()).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    // The token counts only before the file: what comes after it comes too late.
    let late = form(&[], "x", b"bytes");
    let end = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"form_token\"\r\n\r\n{}\r\n--{BOUNDARY}--\r\n",
        visitor.form_token
    );
    let cut = late.len() - format!("--{BOUNDARY}--\r\n").len();
    let late = [&late[..cut], end.as_bytes()].concat();
    let late = site.send_file(&path, &visitor, late.into()).await;
    assert_eq!(late.status, StatusCode::FORBIDDEN);
    let mut elsewhere = request("POST", &path, Some(&visitor), String::new());
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    elsewhere
        .headers_mut()
        .insert("content-type", kind.parse().unwrap());
    elsewhere
        .headers_mut()
        .insert("sec-fetch-site", "cross-site".parse().unwrap());
    let (parts, _) = elsewhere.into_parts();
    let body = form(&[("form_token", &visitor.form_token)], "x", b"bytes");
    let elsewhere = site.reply(http::Request::from_parts(parts, body.into())).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    let plain = site.post(&path, &visitor, "name=x").await;
    assert_eq!(plain.status, StatusCode::BAD_REQUEST, "not a form with a file");
    let unchosen = site.upload(&visitor, &[], "", b"").await;
    assert_eq!(unchosen.status, StatusCode::BAD_REQUEST);
    assert!(unchosen.body.contains("choose one"));
    assert!(site.names().await.is_empty(), "nothing was put");
}

#[tokio::test]
async fn what_is_too_large_or_cut_off_or_has_no_room_is_said_and_leaves_nothing() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let large = vec![0; usize::try_from(UPLOAD_BYTES_MAX).unwrap() + 1];
    let reply = site
        .upload(&visitor, &[("name", "kept as written")], "x", &large)
        .await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(reply.body.contains("TOO_LARGE") && reply.body.contains("put it with peerctl"));
    assert!(reply.body.contains("value=\"kept as written\""));
    let fields = "x".repeat(3 << 20);
    let reply = site.upload(&visitor, &[("name", &fields)], "x", b"bytes").await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "{}", reply.body);
    let token = [("form_token", visitor.form_token.as_str())];
    let whole = form(&token, "x", &vec![7; 1 << 20]);
    for cut in [whole.len() - 10, whole.len() / 2, 100] {
        let path = format!("{FILES}/upload");
        let body = Body::from(whole[..cut].to_vec());
        let reply = site.send_file(&path, &visitor, body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{cut}");
    }
    let broken = stream::iter([
        Ok(Bytes::from(whole[..1000].to_vec())),
        Err(std::io::Error::other("the line is gone")),
    ]);
    let path = format!("{FILES}/upload");
    let reply = site.send_file(&path, &visitor, Body::from_stream(broken)).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    site.kit.room.fill();
    let reply = site.upload(&visitor, &[], "x", b"bytes").await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(reply.body.contains("STORE_FULL"));
    site.kit.room.clear();
    assert!(site.names().await.is_empty());
    assert!(
        site.kit.blobs.leftovers().await.unwrap().is_empty(),
        "what came is thrown away"
    );
}

#[tokio::test]
async fn b100_a_file_is_tagged_renamed_replaced_restored_secured_and_deleted() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let path = site.uploaded(&visitor, &[], "first.txt", b"first").await;
    for (below, fields) in [("tags", "tags=x%0D%0Ay"), ("name", "name=second.txt")] {
        let reply = site.post(&format!("{path}/{below}"), &visitor, fields).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    }
    let bad = site.post(&format!("{path}/tags"), &visitor, "tags=%07").await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let replace = form(&[("form_token", &visitor.form_token)], "other", b"second");
    let reply = site
        .send_file(&format!("{path}/replace"), &visitor, replace.into())
        .await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    let page = site.get(&path, Some(&visitor)).await.body;
    assert!(page.contains("second.txt") && page.contains("Previous contents"));
    let restore = format!("blake3={}", blake3_of(b"first"));
    site.post(&format!("{path}/restore"), &visitor, &restore).await;
    let (_, body) = site.bytes(&format!("{path}/content"), &visitor).await;
    assert_eq!(body, "first");
    site.post("/console/security/levels", &visitor, "levels=open%0D%0Asecret")
        .await;
    let set = site
        .post(&format!("{path}/security"), &visitor, "classification=secret")
        .await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.body);
    let ask = site.get(&format!("{path}/delete"), Some(&visitor)).await.body;
    assert!(ask.contains("What will be lost") && ask.contains("previous contents"));
    site.post(&format!("{path}/delete"), &visitor, "").await;
    assert!(site.names().await.is_empty());
    assert_eq!(
        site.get(&path, Some(&visitor)).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn b049_a_file_that_a_visitor_may_not_see_or_change_is_not_theirs_on_any_route() {
    let site = Site::new(false).await;
    let admin = site.sign_in(&site.token).await;
    let node = &site.kit.node;
    let medical: peerd_core::name::Name = "medical".parse().unwrap();
    node.create_marking(&site.admin, medical.clone()).await.unwrap();
    let me = site.admin.principal().name.to_string();
    node.grant_marking(&site.admin, &medical, &me).await.unwrap();
    let path = site
        .uploaded(&admin, &[("marking", "medical")], "hidden.txt", b"hidden")
        .await;
    let open = site.uploaded(&admin, &[], "open.txt", b"open").await;
    let viewer = site.sign_in_as("vera", Role::Viewer).await;
    let list = site.get(FILES, Some(&viewer)).await.body;
    assert!(list.contains("open.txt") && !list.contains("hidden.txt") && !list.contains("Upload"));
    for below in ["", "/content"] {
        let hidden = site.get(&format!("{path}{below}"), Some(&viewer)).await;
        assert_eq!(hidden.status, StatusCode::NOT_FOUND, "{below}");
        let seen = site.get(&format!("{open}{below}"), Some(&viewer)).await;
        assert_eq!(seen.status, StatusCode::OK, "{below}");
    }
    let editor = site.sign_in_as("ed", Role::Editor).await;
    for (below, fields) in [
        ("tags", "tags=x"),
        ("name", "name=x"),
        ("restore", ""),
        ("security", ""),
        ("delete", ""),
    ] {
        let denied = site.post(&format!("{open}/{below}"), &viewer, fields).await;
        assert_eq!(denied.status, StatusCode::FORBIDDEN, "{below}");
        let hidden = site.post(&format!("{path}/{below}"), &editor, fields).await;
        assert!(
            matches!(hidden.status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN),
            "{below}"
        );
        assert!(!hidden.body.contains("hidden.txt"));
    }
    for (who, at, status) in [
        (&viewer, format!("{FILES}/upload"), StatusCode::FORBIDDEN),
        (&viewer, format!("{open}/replace"), StatusCode::FORBIDDEN),
        (&editor, format!("{path}/replace"), StatusCode::NOT_FOUND),
    ] {
        let body = form(&[("form_token", &who.form_token)], "x", b"other");
        let reply = site.send_file(&at, who, body.into()).await;
        assert_eq!(reply.status, status, "{at} {}", reply.body);
    }
    let id: ArtifactId = path.rsplit('/').next().unwrap().parse().unwrap();
    let at = ArtifactAt {
        space: "flights".into(),
        id,
    };
    let kept = node.artifact(&site.admin, &at).await.unwrap();
    assert_eq!(kept.artifact.name, "hidden.txt");
    assert_ne!(kept.security, Security::default());
}
