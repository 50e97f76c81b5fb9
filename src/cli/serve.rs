//! `hooklog serve`: the process itself.
//!
//! Not its wiring: `app` does that. Here are the flags, the log lines and the exit code.

use super::configuration::ConfigurationArguments;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::app::App;
use crate::telemetry::set_up_logs;

/// Take events in, keep them, deliver them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog serve                                         on 127.0.0.1:7070 (events) and :7071 (API)
  hooklog serve --data /var/lib/hooklog --ingest 0.0.0.0:7070
  HOOKLOG_DELIVER__ALLOW_ADDRESSES=127.0.0.0/8 hooklog serve

The first start writes operator.token into the data directory; commands on this machine find it there.
SIGTERM stops taking in, finishes what is in flight and ends with 0.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// Where events come in; 127.0.0.1:7070 unless set
    #[arg(long, value_name = "ADDR")]
    ingest: Option<String>,
    /// Where the API, health and metrics are; 127.0.0.1:7071 unless set
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let flags = [("ingest.listen", self.ingest), ("admin.listen", self.admin)];
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let settings = self.configuration.load_to_serve(flags, context)?.settings;
        set_up_logs(settings.logs.format, &settings.logs.filter).map_err(Failure::failed)?;
        let app = App::build(settings).await.map_err(|problem| Failure::failed(problem.to_string()))?;
        let (ingest, admin) = app.addresses();
        context.console.line(&format!("events  http://{ingest}"))?;
        context.console.line(&format!("API     http://{admin}"))?;
        context.console.flush()?;
        app.run().await.map_err(|problem| Failure::failed(problem.to_string()))?;
        Ok(Exit::Done)
    }
}
