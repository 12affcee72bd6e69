//! The writers and their webhook bodies of 1 to 2 KB, as Smooch sends them.
//!
//! All data of an app user follows from its number, so later events repeat what earlier ones carried. Texts, message
//! ids and times are new with every event, so compression does not see the same bytes repeatedly.

use std::collections::HashMap;

/// The demo app of the shipped settings, and its secret.
pub const APP: &str = "5698edbf2a43bd081be982f1";
pub const SECRET: &str = "demo-webhook-secret";

const HEX: &[u8; 16] = b"0123456789abcdef";
const TEXTS: usize = 4096;

/// The time of the first app user's `_id`: ids rise with their numbers from there on.
const FIRST_ID: u64 = 0x5c1b_0000;

const GIVEN: [&str; 16] = [
    "Ulrik", "Yara", "Niko", "Zeno", "Greta", "Zofia", "Amadou", "Mei", "Priya", "Tomás", "Ingrid", "Kwame",
    "Leila", "Hiro", "Oksana", "Bram",
];
const SURNAMES: [&str; 16] = [
    "Delacroix",
    "Quiroga",
    "Kessler",
    "Brandvold",
    "Lindqvist",
    "Okafor",
    "Tanaka",
    "Moreau",
    "Sørensen",
    "Patel",
    "Novák",
    "Achterberg",
    "Hakimi",
    "Castellanos",
    "Oyelaran",
    "Fitzgerald",
];
const CITIES: [&str; 8] = ["Lund", "Aarhus", "Porto", "Gdańsk", "Lyon", "Montréal", "Bogotá", "Nairobi"];
const PLANS: [&str; 4] = ["starter", "studio", "business", "enterprise"];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
];
const WORDS: &str = "the order arrived with a cracked lid and I would like to know which size should take if between \
    please cancel second item keep first coupon from your letter is refused at till can you tell me \
    when blue one comes back in stock parcel courier left it neighbour nobody was home thank very \
    much invoice address changed since last week still waiting refund";

/// Numbers that look random and are the same in every run.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number below a bound, some of them often; the frequent ones are not neighbours.
    pub fn skewed(&mut self, bound: u64) -> u64 {
        let share = self.next() as f64 / u64::MAX as f64;
        let rank = (bound as f64 + 1.0).powf(share) as u64;
        mix(rank) % bound
    }
}

fn mix(mut n: u64) -> u64 {
    n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Writes bodies.
pub struct Writer {
    texts: Vec<String>,
    random: Random,
    messages: u64,
    /// Days since 1970, each as a date.
    days: HashMap<u64, String>,
}

impl Writer {
    /// Message ids are unique among writers made with different seeds.
    pub fn new(seed: u64) -> Self {
        let mut random = Random(mix(seed));
        let words: Vec<&str> = WORDS.split(' ').collect();
        let texts = (0..TEXTS).map(|_| sentence(&mut random, &words)).collect();
        Self { texts, random, messages: seed << 40, days: HashMap::new() }
    }

    /// Puts the body of an app user's event at the end of `out`: v1 and v1.1 in turn.
    pub fn event(&mut self, out: &mut Vec<u8>, user: u64, now: u64) {
        if self.messages.is_multiple_of(2) { self.v1(out, user, now) } else { self.v1_1(out, user, now) }
    }

    fn v1(&mut self, out: &mut Vec<u8>, user: u64, now: u64) {
        put(out, &["{\"trigger\":\"message:appUser\",\"app\":{\"_id\":\"", APP, "\"},"]);
        self.message(out, user, now, "web");
        put(out, &[","]);
        self.app_user(out, user);
        put(out, &[",\"clients\":["]);
        self.web(out, user, now);
        put(out, &[","]);
        self.phone(out, user);
        put(out, &["]}}"]);
    }

    fn v1_1(&mut self, out: &mut Vec<u8>, user: u64, now: u64) {
        put(out, &["{\"trigger\":\"message:appUser\",\"app\":{\"_id\":\"", APP, "\"},\"version\":\"v1.1\","]);
        put(out, &["\"conversation\":{\"_id\":\""]);
        hex(out, mix(user ^ 77), 16);
        put(out, &["97a22d55\"},"]);
        self.message(out, user, now, "web");
        put(out, &[",\"client\":"]);
        self.web(out, user, now);
        put(out, &[","]);
        self.app_user(out, user);
        put(out, &["}}"]);
    }

    /// Puts an element of a v2 body's `events`: the whole user, with both of its clients.
    pub fn v2_event(&mut self, out: &mut Vec<u8>, user: u64, now: u64) {
        let [given, surname] = name(user);
        let message = self.message_id();
        put(out, &["{\"id\":\""]);
        id(out, message);
        put(out, &["\",\"type\":\"conversation:message\",\"createdAt\":\""]);
        self.iso(out, now);
        put(out, &["\",\"payload\":{\"message\":{\"id\":\""]);
        id(out, message ^ 1 << 63);
        put(
            out,
            &[
                "\",\"author\":{\"type\":\"user\",\"displayName\":\"",
                given,
                " ",
                surname,
                "\",\"user\":{\"id\":\"",
            ],
        );
        user_id(out, user);
        put(out, &["\","]);
        if named(user) {
            put(out, &["\"externalId\":\"cust-"]);
            decimal(out, user, 7);
            put(out, &["\","]);
        }
        put(out, &["\"profile\":{"]);
        profile(out, user);
        put(out, &["},\"signedUpAt\":\""]);
        self.iso(out, signed_up(user));
        put(out, &["\",\"metadata\":"]);
        properties(out, user);
        put(out, &["}},\"content\":{\"type\":\"text\",\"text\":\""]);
        self.text(out);
        put(out, &["\"},\"source\":{\"type\":\"web\",\"client\":"]);
        self.web(out, user, now);
        put(out, &[",\"device\":"]);
        self.phone(out, user);
        put(out, &["}}}}"]);
    }

    fn message(&mut self, out: &mut Vec<u8>, user: u64, now: u64, source: &str) {
        let [given, surname] = name(user);
        put(out, &["\"messages\":[{\"_id\":\""]);
        let message = self.message_id();
        id(out, message);
        put(out, &["\",\"type\":\"text\",\"text\":\""]);
        self.text(out);
        put(out, &["\",\"role\":\"appUser\",\"authorId\":\""]);
        user_id(out, user);
        put(out, &["\",\"name\":\"", given, " ", surname, "\",\"received\":"]);
        decimal(out, now / 1000, 10);
        put(out, &["."]);
        decimal(out, now % 1000, 3);
        put(out, &[",\"source\":{\"type\":\"", source, "\"}}]"]);
    }

    /// `appUser`, still open.
    fn app_user(&mut self, out: &mut Vec<u8>, user: u64) {
        put(out, &["\"appUser\":{\"_id\":\""]);
        user_id(out, user);
        put(out, &["\","]);
        if named(user) {
            put(out, &["\"userId\":\"cust-"]);
            decimal(out, user, 7);
            put(out, &["\","]);
        }
        put(out, &["\"conversationStarted\":true,"]);
        profile(out, user);
        put(out, &[",\"signedUpAt\":\""]);
        self.iso(out, signed_up(user));
        put(out, &["\",\"properties\":"]);
        properties(out, user);
    }

    fn web(&mut self, out: &mut Vec<u8>, user: u64, now: u64) {
        put(out, &["{\"id\":\""]);
        client_id(out, user, 0);
        put(
            out,
            &[
                "\",\"platform\":\"web\",\"active\":true,\"primary\":true,\"status\":\"active\",\"lastSeen\":\"",
            ],
        );
        self.iso(out, now);
        put(out, &["\",\"linkedAt\":\""]);
        self.iso(out, signed_up(user) + 216);
        put(
            out,
            &[
                "\",\"integrationId\":\"5bdf88000078f97b2ab00da0\",\"info\":{\"currentUrl\":\"https://shop.example.com/orders/",
            ],
        );
        decimal(out, self.random.below(100_000), 6);
        put(
            out,
            &[
                "\",\"browserLanguage\":\"en-GB\",\"userAgent\":\"",
                AGENTS[(user % 4) as usize],
                "\",\"referrer\":\"\",\"currentTitle\":\"Your order\"}}",
            ],
        );
    }

    fn phone(&mut self, out: &mut Vec<u8>, user: u64) {
        put(out, &["{\"id\":\""]);
        client_id(out, user, 1);
        put(
            out,
            &[
                "\",\"platform\":\"ios\",\"active\":true,\"status\":\"active\",\"lastSeen\":\"2019-04-0",
                digit(user % 9 + 1),
            ],
        );
        put(
            out,
            &[
                "T17:20:11.520Z\",\"appVersion\":\"4.12.",
                digit(user % 7),
                "\",\"info\":{\"appId\":\"com.example.shop\",\"devicePlatform\":\"iPhone1",
            ],
        );
        put(out, &[digit(user % 6), ",3\",\"os\":\"iOS\",\"osVersion\":\"17.", digit(user % 5), "\"}}"]);
    }

    fn message_id(&mut self) -> u64 {
        self.messages += 1;
        self.messages
    }

    fn text(&mut self, out: &mut Vec<u8>) {
        let text = self.random.below(TEXTS as u64) as usize;
        out.extend_from_slice(self.texts[text].as_bytes());
    }

    /// A moment in ms since 1970, as ISO 8601.
    fn iso(&mut self, out: &mut Vec<u8>, ms: u64) {
        let date = self.days.entry(ms / 86_400_000).or_insert_with(|| {
            let timestamp = jiff::Timestamp::from_millisecond(ms as i64).unwrap_or_default();
            timestamp.strftime("%Y-%m-%dT").to_string()
        });
        out.extend_from_slice(date.as_bytes());
        let ms = ms % 86_400_000;
        for (n, after) in [(ms / 3_600_000, ":"), (ms / 60_000 % 60, ":"), (ms / 1000 % 60, ".")] {
            decimal(out, n, 2);
            put(out, &[after]);
        }
        decimal(out, ms % 1000, 3);
        put(out, &["Z"]);
    }
}

/// The `_id` of an app user.
pub fn user_id(out: &mut Vec<u8>, user: u64) {
    hex(out, FIRST_ID + user / 16, 8);
    put(out, &["9f1b7c"]);
    hex(out, user, 10);
}

/// The time an app user signed up, in ms since 1970: the second in the first eight digits of its `_id`.
fn signed_up(user: u64) -> u64 {
    (FIRST_ID + user / 16) * 1000 + user % 16 * 62
}

/// Half of all app users have a `userId`.
fn named(user: u64) -> bool {
    user.is_multiple_of(2)
}

/// The `userId` of an app user, or of the nearest one with a `userId`.
pub fn name_of(user: u64) -> String {
    format!("cust-{:07}", user - user % 2)
}

fn name(user: u64) -> [&'static str; 2] {
    let n = mix(user);
    [GIVEN[(n % 16) as usize], SURNAMES[(n / 16 % 16) as usize]]
}

fn profile(out: &mut Vec<u8>, user: u64) {
    let [given, surname] = name(user);
    put(out, &["\"givenName\":\"", given, "\",\"surname\":\"", surname, "\",\"email\":\"", surname, "."]);
    decimal(out, user, 7);
    put(out, &["@example.org\""]);
}

fn properties(out: &mut Vec<u8>, user: u64) {
    let n = mix(user ^ 1);
    put(
        out,
        &[
            "{\"plan\":\"",
            PLANS[(n % 4) as usize],
            "\",\"city\":\"",
            CITIES[(n / 4 % 8) as usize],
            "\",\"orders\":",
        ],
    );
    decimal(out, 10 + n / 32 % 90, 2);
    put(out, &[",\"newsletter\":", if n & 1024 == 0 { "true" } else { "false" }, ",\"loyaltyCard\":\""]);
    hex(out, n, 12);
    put(out, &["\"}"]);
}

fn client_id(out: &mut Vec<u8>, user: u64, which: u64) {
    let n = mix(user * 2 + which);
    hex(out, n, 16);
    hex(out, mix(n), 16);
}

/// An id of 24 hex digits.
fn id(out: &mut Vec<u8>, n: u64) {
    put(out, &["64376843"]);
    hex(out, n, 16);
}

fn put(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

fn digit(n: u64) -> &'static str {
    ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"][(n % 10) as usize]
}

fn hex(out: &mut Vec<u8>, n: u64, digits: u32) {
    out.extend((0..digits).rev().map(|at| HEX[(n >> (4 * at) & 15) as usize]));
}

/// A number in at least so many digits.
fn decimal(out: &mut Vec<u8>, n: u64, digits: usize) {
    let mut buffer = [b'0'; 20];
    let (mut n, mut at) = (n, 20);
    while n > 0 || at + digits > 20 {
        at -= 1;
        buffer[at] = b'0' + (n % 10) as u8;
        n /= 10;
    }
    out.extend_from_slice(&buffer[at..]);
}

fn sentence(random: &mut Random, words: &[&str]) -> String {
    let length = 12 + random.below(40);
    let words: Vec<&str> = (0..length).map(|_| words[random.below(words.len() as u64) as usize]).collect();
    words.join(" ") + "."
}
