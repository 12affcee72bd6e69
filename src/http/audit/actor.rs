//! Who makes a request, as the audit log has them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::FromRequestParts;
use axum::extract::rejection::ExtensionRejection;
use axum::http::request::Parts;

use crate::http::state::ByOperator;
use crate::operators::{Operator, Proof};
use crate::request_context::RequestContext;
use crate::store::{Actor, How};

/// The operator who makes a request to the admin listener, as the audit log has them.
#[derive(Clone, Debug)]
pub(in crate::http) struct ByActor(pub(in crate::http) Arc<Actor>);

impl<S: Send + Sync> FromRequestParts<S> for ByActor {
    type Rejection = ExtensionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ExtensionRejection> {
        let Extension(operator) = ByOperator::from_request_parts(parts, state).await?;
        Ok(Self(Arc::new(actor_of(&operator))))
    }
}

/// An operator, in the request that is worked on here.
pub(in crate::http) fn actor_of(operator: &Operator) -> Actor {
    let how = match operator.proof {
        Proof::KeyFile => How::Command,
        Proof::Session => How::Console,
        Proof::Secret => How::Secret,
        Proof::Proxy => How::Proxy,
    };
    let (who, role) = (Some(operator.name.clone()), Some(operator.role.name().to_owned()));
    Actor { who, role, how, request: request_id() }
}

/// A key of an app or of the account, with its scope, in the request that is worked on here.
pub(in crate::http) fn actor_of_key(key: &str, scope: &str) -> Actor {
    let (who, role) = (Some(key.to_owned()), Some(scope.to_owned()));
    Actor { who, role, how: How::Api, request: request_id() }
}

/// Somebody unknown, in the request that is worked on here.
pub(super) fn nobody() -> Actor {
    Actor { request: request_id(), ..Actor::unnamed(How::Nothing) }
}

fn request_id() -> Option<String> {
    RequestContext::current().id().map(str::to_owned)
}
