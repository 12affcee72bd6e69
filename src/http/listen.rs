//! Accepts connections, limited in number and in time.
//!
//! hyper's own header timeout also ends a connection that merely waits for its next request, so the
//! timeouts are here: a short one while a head arrives, a long one between requests.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::FutureExt as _;
use futures_util::task::AtomicWaker;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};
use tokio_io_timeout::TimeoutWriter;
use tower::ServiceExt;

use super::request_id::{RequestId, Route};
use crate::config::ServerSettings;
use crate::metrics::Metrics;

/// hyper's own bound; Smooch sends a dozen.
const MOST_HEADERS: usize = 100;

/// Attempts to read what an answer has left of its request's body.
const READ_ON: usize = 4;

/// The metric label of a head that is answered 431.
const HEAD_TOO_LARGE: &str = "head_too_large";

/// The router of a listener, replaceable while it serves.
#[derive(Clone)]
pub struct Routes(Arc<ArcSwap<Router>>);

impl From<Router> for Routes {
    fn from(first: Router) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(first)))
    }
}

impl Routes {
    /// Serves this router from the next request on.
    pub fn set(&self, router: Router) {
        self.0.store(Arc::new(router));
    }

    fn now(&self) -> Router {
        Router::clone(&self.0.load())
    }
}

/// Serves until `stop` turns true, then lets active requests finish: returns when the last connection is
/// closed. Dropping it ends them all. A connection retains the settings it began with; the number of
/// connections is fixed at the start.
pub async fn serve(
    listener: TcpListener,
    routes: Routes,
    settings: watch::Receiver<Arc<ServerSettings>>,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(settings.borrow().max_connections));
    // Each open connection has a reference to the value of its address.
    let mut addresses: HashMap<IpAddr, Arc<()>> = HashMap::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let permit = room.clone().acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            accepted = accepted => accepted,
            () = wait_for_stop(&mut stop) => break,
        };
        while connections.try_join_next().is_some() {}
        if addresses.len() > 2 * connections.len() {
            addresses.retain(|_, place| Arc::strong_count(place) > 1);
        }
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most likely no file handles: wait until some are free.
                tracing::warn!(%error, "cannot accept a connection: {error}");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let limits = settings.borrow().clone();
        let (place, most) = (addresses.entry(peer.ip()).or_default(), limits.connections_per_address);
        if most > 0 && Arc::strong_count(place) > most {
            metrics.turn_away("too_many_connections");
            continue;
        }
        let place = place.clone();
        let (routes, metrics, stop) = (routes.clone(), metrics.clone(), stop.clone());
        connections.spawn(async move {
            metrics.connections.inc();
            connection(stream, peer, routes, limits, metrics.clone(), stop).await;
            metrics.connections.dec();
            drop((place, permit));
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn wait_for_stop(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is dropped, which is a stop too.
    _ = stop.wait_for(|stop| *stop).await.is_ok();
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Routes,
    limits: Arc<ServerSettings>,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) {
    // An answer is one small write; a delay to collect more would only add latency.
    _ = stream.set_nodelay(true);
    let requests = Arc::new(Requests::default());
    let header_bytes = limits.header_bytes;
    let (reader, writer) = stream.into_split();
    let mut writer = TimeoutWriter::new(writer);
    // A peer that reads nothing for that long is treated as disconnected.
    writer.set_timeout(Some(limits.idle_timeout));
    let reader = TimedReader::new(reader, limits, requests.clone());
    let stream = TokioIo::new(tokio::io::join(reader, Box::pin(writer)));
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let (router, under_way, metrics) = (routes.now(), requests.begin(), &metrics);
        let trace = RequestId::of(request.headers());
        let name = trace.request.clone();
        let handle = async move {
            if head_bytes(&request) > header_bytes {
                metrics.turn_away(HEAD_TOO_LARGE);
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                return Ok::<_, Infallible>(trace.name(response));
            }
            let (began, method) = (Instant::now(), request.method().clone());
            let waits = request.headers().contains_key(header::EXPECT);
            let (head, body) = request.into_parts();
            let body = SharedBody(Arc::new(Mutex::new(Some(body))));
            let request = Request::from_parts(head, Body::new(body.clone()));
            let Ok(mut response) = router.oneshot(request).await;
            if !body.has_arrived(waits).await {
                // hyper closes the connection after this answer.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            let (status, ms) = (response.status().as_u16(), began.elapsed().as_millis() as u64);
            let route = response.extensions().get::<Route>().map_or("none", |route| &*route.0);
            tracing::debug!(%method, route, status, ms, "answered with {status} after {ms} ms");
            Ok(trace.name(response.map(|body| under_way.until_sent(body))))
        };
        name.cover(handle)
    });
    let mut http = http1::Builder::new();
    http.max_buf_size(header_bytes).max_headers(MOST_HEADERS);
    let mut connection = std::pin::pin!(http.serve_connection(stream, service));
    let served = tokio::select! {
        served = &mut connection => served,
        () = wait_for_stop(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        if error.is_parse() {
            // hyper has answered this one itself.
            metrics.turn_away(if error.is_parse_too_large() { HEAD_TOO_LARGE } else { "bad_request" });
        }
        tracing::debug!(%error, "a connection ended: {error}");
    }
}

/// A request's body, of which the rest is still there after its handler; `None` once it broke off or was framed wrongly.
#[derive(Clone)]
struct SharedBody(Arc<Mutex<Option<Incoming>>>);

impl SharedBody {
    fn lock(&self) -> MutexGuard<'_, Option<Incoming>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has been received to its end. Reads what has arrived of it, unless its sender waits for a 100.
    async fn has_arrived(&self, waits: bool) -> bool {
        for _ in 0..READ_ON {
            let is_end = self.lock().as_ref().map(hyper::body::Body::is_end_stream);
            match is_end {
                Some(true) => return true,
                Some(false) if !waits => {}
                _ => return false,
            }
            match self.clone().frame().now_or_never() {
                Some(None) => return true,
                Some(Some(_)) => {}
                // The connection's task passes on what has arrived.
                None => tokio::task::yield_now().await,
            }
        }
        false
    }
}

impl hyper::body::Body for SharedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut body = self.lock();
        let Some(incoming) = body.as_mut() else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(incoming).poll_frame(cx));
        if matches!(frame, Some(Err(_))) {
            *body = None;
        }
        Poll::Ready(frame)
    }
}

/// The size of a head as written, without optional white space. hyper's own bound applies to its buffer,
/// which a head that arrives in one piece may exceed.
fn head_bytes(request: &Request<Incoming>) -> usize {
    let lines = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let first = request.method().as_str().len() + target + 12;
    first + lines.sum::<usize>() + 2
}

/// The requests of a connection: begun and finished.
#[derive(Default)]
struct Requests {
    begun: AtomicU64,
    finished: AtomicU64,
    /// The connection reads nothing while idle. This wakes it at the end of a request, so that the time
    /// until the next request counts from there.
    connection: AtomicWaker,
}

struct RequestGuard(Arc<Requests>);

impl Requests {
    fn begin(self: &Arc<Self>) -> RequestGuard {
        self.begun.fetch_add(1, Ordering::AcqRel);
        RequestGuard(self.clone())
    }
}

impl RequestGuard {
    /// A body of unknown length is a stream: the request is active until its end.
    fn until_sent(self, body: Body) -> Body {
        if body.size_hint().exact().is_some() {
            return body;
        }
        Body::new(body.map_frame(move |frame| {
            let _held = &self;
            frame
        }))
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.finished.fetch_add(1, Ordering::AcqRel);
        self.0.connection.wake();
    }
}

/// The reading half of a connection; reads fail once its time is up.
struct TimedReader {
    stream: OwnedReadHalf,
    limits: Arc<ServerSettings>,
    requests: Arc<Requests>,
    timer: Pin<Box<Sleep>>,
    /// The next request has not begun; else the rest of a head is awaited.
    is_idle: bool,
    /// Requests finished when the current wait began.
    finished: u64,
}

impl TimedReader {
    fn new(stream: OwnedReadHalf, limits: Arc<ServerSettings>, requests: Arc<Requests>) -> Self {
        let timer = Box::pin(sleep(limits.header_timeout));
        Self { stream, limits, requests, timer, is_idle: false, finished: 0 }
    }

    fn wait(&mut self, is_idle: bool) {
        let time = if is_idle { self.limits.idle_timeout } else { self.limits.header_timeout };
        self.timer.as_mut().reset(Instant::now() + time);
        self.is_idle = is_idle;
    }
}

impl AsyncRead for TimedReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let (begun, finished) =
            (self.requests.begun.load(Ordering::Acquire), self.requests.finished.load(Ordering::Acquire));
        if begun > finished {
            self.requests.connection.register(cx.waker());
            return read; // a body, which its handler keeps the time of
        }
        if finished > self.finished {
            self.finished = finished;
            self.wait(true);
        }
        match read {
            Poll::Ready(read) => {
                if self.is_idle && buf.filled().len() > before {
                    self.wait(false);
                }
                Poll::Ready(read)
            }
            Poll::Pending => {
                ready!(self.timer.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}
