//! What an installation decides about its submitter.

use std::path::PathBuf;
use std::time::Duration;

use aideator_bus::Declared;
use aideator_contract::limits;
use aideator_contract::repository::RepositoryPolicy;
use aideator_contract::request::Installation;
use clap::Args;

use crate::decide::schedule::Limits;
use crate::error::Error;
use crate::run::Settings;

/// What a submitter is told, wherever its attempts run.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The model of requests that name none
    #[arg(long, env = "AIDEATOR_MODEL", default_value = "")]
    pub default_model: String,
    /// Models that may be asked for, separated by commas: names, or beginnings ending in '*'; empty: any
    #[arg(long, env = "AIDEATOR_MODELS", value_delimiter = ',')]
    pub models: Vec<String>,
    /// A word about the default model that people should read before they judge its answers
    #[arg(long, env = "AIDEATOR_MODEL_NOTE")]
    pub model_note: Option<String>,
    /// Allow mode exec: requests may run any shell command as this user
    #[arg(long, env = "AIDEATOR_ALLOW_EXEC")]
    pub allow_exec: bool,
    /// Allow paths of this machine as repositories
    #[arg(long, env = "AIDEATOR_ALLOW_PATHS")]
    pub allow_paths: bool,
    /// Hosts (host or host:port, separated by commas) that may be private and speak plain http
    #[arg(long, env = "AIDEATOR_TRUSTED_HOSTS", value_delimiter = ',')]
    pub trusted_hosts: Vec<String>,
    /// Variations running at once
    #[arg(long, env = "AIDEATOR_RUNNING", default_value_t = limits::RUNNING_LOCAL)]
    pub running: usize,
    /// Variations of one requester running at once
    #[arg(long, env = "AIDEATOR_RUNNING_PER_REQUESTER", default_value_t = limits::RUNNING_PER_REQUESTER)]
    pub running_per_requester: usize,
    /// Variations that may wait
    #[arg(long, env = "AIDEATOR_QUEUED", default_value_t = limits::QUEUED)]
    pub queued: usize,
    /// Copies of each stream: 1, or 3 in a cluster of NATS servers
    #[arg(long, env = "AIDEATOR_REPLICAS", default_value_t = 1)]
    pub replicas: u8,
    /// Seconds for which NATS remembers message ids
    #[arg(long, env = "AIDEATOR_DUPLICATE_WINDOW_S", default_value_t = limits::DUPLICATE_WINDOW.as_secs())]
    pub duplicate_window_s: u64,
    /// Seconds an attempt has to begin, from when its process or pod exists
    #[arg(long, env = "AIDEATOR_START_ALLOWANCE_S", default_value_t = limits::START_ALLOWANCE.as_secs())]
    pub start_allowance_s: u64,
    /// The file with the key that signs the credentials of agents (agents.json beside the other
    /// keys)
    #[arg(long, env = "AIDEATOR_AGENT_KEYS")]
    pub agent_keys: PathBuf,
}

impl Config {
    /// The defaults of local mode, with paths allowed.
    #[must_use]
    pub fn local(agent_keys: PathBuf) -> Self {
        Self {
            default_model: String::new(),
            models: Vec::new(),
            model_note: None,
            allow_exec: false,
            allow_paths: true,
            trusted_hosts: Vec::new(),
            running: limits::RUNNING_LOCAL,
            running_per_requester: limits::RUNNING_PER_REQUESTER,
            queued: limits::QUEUED,
            replicas: 1,
            duplicate_window_s: limits::DUPLICATE_WINDOW.as_secs(),
            start_allowance_s: limits::START_ALLOWANCE.as_secs(),
            agent_keys,
        }
    }

    /// What follows from it for deciding; refused with words if it can't be used.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn settings(&self) -> Result<Settings, Error> {
        let refuse = |words: &str| Err(Error::Config(words.to_owned()));
        if self.running == 0 || self.running_per_requester == 0 {
            return refuse("at least one variation must be allowed to run");
        }
        if self.duplicate_window_s == 0 {
            return refuse("the duplicate window is at least one second");
        }
        if self.start_allowance_s == 0 {
            return refuse("an attempt needs at least one second to begin");
        }
        Ok(Settings {
            installation: Installation {
                default_model: self.default_model.clone(),
                models: self.models.clone(),
                allow_exec: self.allow_exec,
                repositories: RepositoryPolicy {
                    paths: self.allow_paths,
                    trusted_hosts: self.trusted_hosts.clone(),
                },
            },
            model_note: self.model_note.clone(),
            start_allowance: Duration::from_secs(self.start_allowance_s),
            limits: Limits {
                running: self.running,
                per_requester: self.running_per_requester,
                queued: self.queued,
            },
            declared: Declared {
                replicas: self.replicas,
                duplicate_window: Duration::from_secs(self.duplicate_window_s),
                ..Declared::default()
            },
        })
    }
}

/// What the submitter of a cluster is told besides.
#[derive(Debug, Clone, Args)]
pub struct ClusterConfig {
    /// What every submitter is told
    #[command(flatten)]
    pub rules: Config,
    /// The namespace in which agents run
    #[arg(long, env = "AIDEATOR_NAMESPACE")]
    pub namespace: String,
    /// The installation's name, which its agents carry as label app.kubernetes.io/instance
    #[arg(long, env = "AIDEATOR_INSTANCE")]
    pub instance: String,
    /// The file with the Job (batch/v1, YAML) from which every agent's is made
    #[arg(
        long,
        env = "AIDEATOR_JOB_TEMPLATE",
        default_value = "/etc/aideator/agent-job.yaml"
    )]
    pub job_template: PathBuf,
    /// The ConfigMap that owns every agent's Job, so that all end when the installation is removed
    #[arg(long, env = "AIDEATOR_JOB_OWNER")]
    pub job_owner: Option<String>,
}
