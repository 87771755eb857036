//! Hearing of it when a session begins, ends or is removed, instead of asking again and again.

use super::{Sessions, configuration::LABEL_HOME};
use crate::{container::engine_error, error_handling::Result};
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use std::collections::HashMap;

impl Sessions {
    /// Calls `changed` whenever the engine tells of a container of this home: made, started, ended, removed. Comes
    /// back when the engine stops telling.
    ///
    /// # Errors
    /// When the engine does not answer any more.
    pub async fn hear(&self, changed: impl Fn() + Send) -> Result<()> {
        let home = self.locations.home.display();
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("label", vec![format!("{LABEL_HOME}={home}")]),
            ("event", ["create", "start", "die", "destroy"].map(str::to_owned).to_vec()),
        ]);
        let options = EventsOptionsBuilder::new().filters(&filters).build();
        let mut told = self.engine.api().events(Some(options));
        while let Some(event) = told.next().await {
            event.map_err(|cause| engine_error("tell of its containers", cause))?;
            changed();
        }
        Ok(())
    }
}
