//! scratch
#![allow(missing_docs, clippy::unwrap_used)]
use rollcall::{
    ingest::{queue, worker},
    metrics::Metrics,
    store::sqlite::*,
    wire,
};
use std::time::{Duration, Instant};
#[cfg(not(feature = "x"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn cpu() -> f64 {
    let t = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    t.split(' ').next().unwrap().parse::<f64>().unwrap() / 1000.0
}
fn body(n: u64, users: u64, v11: bool) -> String {
    let u = (n * 7919) % users;
    let t = 1_700_000_000.0 + n as f64 * 0.01;
    let uid = format!("{u:024x}");
    let msg = format!(
        r#""messages":[{{"_id":"{n:024x}","type":"text","text":"Hello there {n}, when does my order {} arrive? I am waiting since last week and would love to know.","role":"appUser","authorId":"{uid}","name":"Steve {u}","received":{t:.3},"source":{{"type":"messenger","id":"{n:024x}"}}}}]"#,
        n * 31
    );
    let prof = format!(
        r#""_id":"{uid}","userId":"user-{u}@example.com","givenName":"Steve","surname":"Miller {u}","email":"user-{u}@example.com","signedUpAt":"2015-10-06T03:38:02.346Z","conversationStarted":true,"properties":{{"plan":"family","orders":{n},"city":"Oslo","vip":false,"score":12.5}}"#
    );
    let cl = |k: u64| {
        format!(
            r#"{{"id":"{:024x}","_id":"{:024x}","platform":"messenger","active":true,"lastSeen":"2016-03-09T19:09:01.431Z","displayName":"Steve {u}","info":{{"os":"iPhone OS","osVersion":"9.2","appName":"ShellApp","devicePlatform":"x86_64","carrier":"Telenor"}},"raw":{{"a":"b","c":"d"}}}}"#,
            u * 2 + k + 1_000_000,
            u * 2 + k
        )
    };
    if v11 {
        format!(
            r#"{{"trigger":"message:appUser","app":{{"_id":"5698edbf2a43bd081be982f1"}},"version":"v1.1","conversation":{{"_id":"{uid}"}},{msg},"appUser":{{{prof}}},"client":{}}}"#,
            cl(0)
        )
    } else {
        format!(
            r#"{{"trigger":"message:appUser","app":{{"_id":"5698edbf2a43bd081be982f1"}},{msg},"appUser":{{{prof},"clients":[{},{}]}}}}"#,
            cl(0),
            cl(1)
        )
    }
}
fn main() {
    let users: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let batch: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let total: u64 = std::env::args().nth(3).map_or(60_000, |t| t.parse().unwrap());
    let bodies: Vec<bytes::Bytes> = (0..total).map(|n| body(n, users, n % 2 == 1).into()).collect();
    println!("body {} {}", bodies[0].len(), bodies[1].len());
    let bounds = wire::Bounds { depth: 64, events: 1000, latest: i64::MAX };
    let c = cpu();
    let mut k = 0;
    for b in &bodies {
        k += wire::read(b, &bounds).unwrap().events.len();
    }
    println!("read {:.2} us ({k})", (cpu() - c) / total as f64);
    let c = cpu();
    for b in &bodies {
        k += usize::from(wire::json::Json::parse(b, 64).is_ok());
    }
    println!("  parse {:.2} us ({k})", (cpu() - c) / total as f64);
    let c = cpu();
    for b in &bodies {
        k += wire::json::Json::parse(b, 64).unwrap().value.canonical(|t| t.len());
    }
    println!("  parse+canonical {:.2} us ({k})", (cpu() - c) / total as f64);
    let dir = format!("/dev/shm/rcb-{}", std::process::id());
    std::fs::create_dir_all(&dir).unwrap();
    let store = Sqlite::open(&Options {
        path: format!("{dir}/x.db").into(),
        wal_checkpoint: 40 << 20,
        wal_limit: 256 << 20,
        quarantine_rows: 100,
        quarantine_bytes: 1 << 20,
    })
    .unwrap();
    let (q, jobs) = queue::bounded(total as usize + 1, usize::MAX, Duration::from_secs(1000));
    let app = "5698edbf2a43bd081be982f1".into();
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    rt.block_on(async {
        for b in &bodies {
            let d = wire::read(b, &bounds).unwrap();
            let d = queue::Delivered {
                app: AppId(&app),
                received: worker::now_ms(),
                body: b.clone(),
                events: d.events.into_iter().map(|e| e.unwrap()).enumerate().collect(),
                unusable: vec![],
                headers: String::new(),
            };
            let mut f = Box::pin(q.submit(d));
            let _ = futures_poll(&mut f).await;
            std::mem::forget(f);
        }
    });
    q.close();
    let c = cpu();
    let t = Instant::now();
    worker::run(
        store,
        &jobs,
        &worker::Options { batch_jobs: batch, group_members: 1000 },
        &Metrics::default(),
    )
    .unwrap();
    println!(
        "worker {:.2} us cpu, {:.2} us wall",
        (cpu() - c) / total as f64,
        t.elapsed().as_micros() as f64 / total as f64
    );
    std::fs::remove_dir_all(dir).unwrap();
}
#[allow(non_snake_case)]
fn AppId(a: &rollcall::domain::AppId) -> rollcall::domain::AppId {
    a.clone()
}
async fn futures_poll<F: std::future::Future + Unpin>(f: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *f).poll(cx) {
            std::task::Poll::Ready(x) => Some(x),
            _ => None,
        })
    })
    .await
}
