//! What a session's home gets before Claude Code starts in it.

use super::{Sessions, blocking::blocking, environment, record::Record};
use crate::{
    error_handling::Result,
    keychain::{SecretVariables, Sensitive, SessionLogin},
    sync::{Excluded, HomeVolume, InwardPlan, Localhost, News, Purpose},
};

impl Sessions {
    pub(super) async fn plan_in(
        &self,
        record: &Record,
        variables: &[(String, Sensitive<String>)],
        login: SessionLogin,
    ) -> Result<InwardPlan> {
        let (locations, settings) = (self.locations.clone(), self.settings.clone());
        let (project, map) = (record.project.root.clone(), record.map.clone());
        let variables = variables.to_vec();
        blocking(move || {
            let given = login.environment.iter().chain(&variables);
            let api_key =
                given.filter(|(name, _)| name == "ANTHROPIC_API_KEY").map(|(_, key)| key).next_back();
            let excluded = Excluded::new(&settings.excluded());
            let purpose = Purpose {
                project: &project,
                history: settings.history(),
                api_key,
                excluded: &excluded,
                map: &map,
                localhost: Localhost::of(&settings),
            };
            let mut plan = InwardPlan::make(&locations, &purpose)?;
            if let Some(git) = environment::git_config(&locations) {
                plan.add_file(".gitconfig", 0o644, Sensitive::new(git));
            }
            add_login(&mut plan, &locations, &variables, login);
            Ok(plan)
        })
        .await
    }

    pub(super) async fn bring_in(&self, record: &Record, plan: InwardPlan) -> Result<News> {
        let mut volume = self.open_volume(record).await?;
        let brought = volume.bring_in(plan, &(&record.user).into()).await;
        volume.close().await?;
        brought
    }

    pub(super) async fn bring_login_in(
        &self,
        record: &Record,
        volume: &mut HomeVolume,
        variables: &SecretVariables,
        keys: SecretVariables,
    ) -> Result<()> {
        let login = self.give_again(record, volume, keys).await?;
        let mut plan = InwardPlan::empty();
        add_login(&mut plan, &self.locations, variables, login);
        volume.bring_in(plan, &(&record.user).into()).await.map(drop)
    }
}

fn add_login(
    plan: &mut InwardPlan,
    locations: &crate::paths::Locations,
    variables: &[(String, Sensitive<String>)],
    login: SessionLogin,
) {
    if let Some(credentials) = login.credentials
        && let Some(dir) =
            locations.claude_dir.strip_prefix(&locations.home).ok().and_then(|dir| dir.to_str())
    {
        plan.add_file(&format!("{dir}/.credentials.json"), 0o600, credentials.text());
    }
    let mut all = login.environment;
    for (name, value) in variables {
        all.retain(|(known, _)| known != name);
        all.push((name.clone(), value.clone()));
    }
    if !all.is_empty() {
        let exports = all.iter().map(|(name, value)| (name.as_str(), value.reveal().as_str()));
        plan.add_file(".drydock/environment", 0o600, Sensitive::new(environment::shell_exports(exports)));
    }
}
