//! The two pages about init and pre-creation, sentence by sentence, each tried on the running program: Smooch's guide
//! on creating users, and its reference of init.

mod devices;
mod guide;
mod init;

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Home, Program};

/// A sentence of a page, verbatim except for its links, and a check of the program against it.
type Sentence = (&'static str, fn(&Program));

/// A service whose app has everything that a page mentions.
const SETTINGS: &str = r#"
[server]
cors_origins = ["https://shop.example"]
[[apps]]
id = "5698edbf2a43bd081be982f1"
name = "Demo"
app_token = "demo-app-token"
webhook_secrets = ["demo-webhook-secret"]
keys = [{ id = "app_demo", secret = "demo-key-secret-change-me" }]
has_icon = true
apn_enabled = true
gcm_project = "731399543244"
"#;

/// Tries every sentence of a page, each on a service of its own, and names all that do not hold.
fn hold(page: &str, sentences: &[Sentence]) {
    let mut broken = Vec::new();
    for (n, (text, try_it)) in sentences.iter().enumerate() {
        let program = Home::with(SETTINGS).start();
        if catch_unwind(AssertUnwindSafe(|| try_it(&program))).is_err() {
            broken.push(format!("{page}, sentence {}: {text}", n + 1));
        }
    }
    assert!(broken.is_empty(), "these do not hold:\n{}", broken.join("\n"));
}

#[test]
fn every_sentence_of_the_guide_on_creating_users_holds() {
    hold("Creating users", &guide::SENTENCES);
}

#[test]
fn every_sentence_of_the_reference_of_init_holds() {
    hold("Init", &init::SENTENCES);
    hold("Init: devices", &devices::SENTENCES);
}
