//! What a refusal of the API server means for a launch: a pure function.

use aideator_contract::{Code, Reason};

use crate::launcher::LaunchError;

/// Whether what was refused may work later. A quota is somebody else's room to free, a denied or
/// unanswered request somebody's configuration to mend: both are waited for, in words. What is
/// wrong in itself will never work.
pub(super) fn refusal(error: &kube::Error) -> LaunchError {
    let kube::Error::Api(status) = error else {
        tracing::warn!(%error, "Kubernetes can't be asked");
        return LaunchError::Held(Reason::new(
            Code::Kubernetes,
            "Kubernetes does not answer; trying again",
        ));
    };
    let said = status.message.as_str();
    if let Some((_, quota)) = said.split_once("exceeded quota: ") {
        return LaunchError::Held(Reason::new(
            Code::Quota,
            format!("waits for the namespace's quota: {quota}"),
        ));
    }
    match status.code {
        400 | 422 => LaunchError::Never(Reason::new(
            Code::LaunchFailed,
            format!("Kubernetes can't use its Job: {said}"),
        )),
        401 | 403 | 404 => LaunchError::Held(Reason::new(
            Code::Kubernetes,
            format!("Kubernetes refuses its Job: {said}"),
        )),
        code => {
            tracing::warn!(code, said, "Kubernetes does not take a Job now");
            LaunchError::Held(Reason::new(
                Code::Kubernetes,
                format!("Kubernetes does not take its Job now (HTTP {code}); trying again"),
            ))
        }
    }
}
