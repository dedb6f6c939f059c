//! The HTTP status that tells a reason (RFC 9110).

use aideator_contract::Code;
use http::StatusCode;

/// The status of an answer whose reason has this code.
pub(super) fn status_of(code: &Code) -> StatusCode {
    match code {
        Code::BadJson => StatusCode::BAD_REQUEST,
        Code::UnknownRun => StatusCode::NOT_FOUND,
        Code::Conflict | Code::AlreadyFinished | Code::NotFinished => StatusCode::CONFLICT,
        Code::QueueFull | Code::RequesterLimit => StatusCode::TOO_MANY_REQUESTS,
        Code::StorageFull | Code::Quota => StatusCode::SERVICE_UNAVAILABLE,
        Code::ExecNotAllowed => StatusCode::FORBIDDEN,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Waiting
        | Code::UnknownField
        | Code::BadValue
        | Code::TooLarge
        | Code::BadRunId
        | Code::UnknownVariation
        | Code::RepositoryAddress
        | Code::PrivateAddress
        | Code::RepositoryNotFound
        | Code::RepositoryUnreachable
        | Code::RefNotFound
        | Code::UnknownModel
        | Code::NewerVersion
        | Code::Vanished
        | Code::Exited
        | Code::Killed
        | Code::LaunchFailed
        | Code::StartTimeout
        | Code::Deadline
        | Code::Superseded
        | Code::NoModelKey
        | Code::WrongModelKey
        | Code::RateLimited
        | Code::ContextTooLong
        | Code::ModelUnreachable
        | Code::ModelError
        | Code::ScriptError
        | Code::CloneFailed
        | Code::RepositoryTooLarge
        | Code::HandsFailed
        | Code::CommandFailed
        | Code::Unschedulable
        | Code::ImagePull
        | Code::PodStart
        | Code::OutOfMemory
        | Code::OutOfDisk
        | Code::Evicted
        | Code::PodDeleted
        | Code::JobDeleted
        | Code::NodeLost
        | Code::Terminated
        | Code::Kubernetes
        | Code::Requested
        | Code::Other(_) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
