//! All sessions end by one command: after a restore nobody knows which ones somebody had ended (docs/runbooks/restore.md).

use std::path::Path;
use std::process::{Command, Output};

use crate::browser::tokens;
use crate::draft::{Client, refusal};
use crate::world::World;

/// The command, as an operator types it.
fn end_sessions(world: &World, migrator: Option<&Path>) -> Output {
    let path = world.pki.dir().join(format!("auth-{}.toml", crypto::random::token(9)));
    std::fs::write(&path, runtime::config::print(&world.config).unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth"));
    command.arg("end-sessions").arg("--config").arg(path);
    if let Some(migrator) = migrator {
        command.env("AUTH__DATABASE__MIGRATOR_URL_FILE", migrator);
    }
    command.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_session_ends_by_one_command_of_whoever_migrates_and_new_ones_begin() {
    let world = World::start().await;
    let (app, partner) = (Client::app(), Client::partner(&world));
    let old = [(&app, tokens(&world, &app).await), (&partner, tokens(&world, &partner).await)];
    let old = old.map(|(client, tokens)| (client, tokens.member("refresh_token")));
    let refused = end_sessions(&world, None);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("migrator_url_file"));
    let refused = end_sessions(&world, Some(&world.database.files.app));
    assert_eq!(String::from_utf8_lossy(&refused.stdout), "0 sessions have ended\n", "the service's role sees nobody's");
    for (client, token) in &old {
        assert_eq!(client.refresh(&world, token).await.send(&world).await.status, 200);
    }

    let ended = end_sessions(&world, Some(&world.database.files.migrator));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "2 sessions have ended\n", "{ended:?}");
    for (client, token) in &old {
        let answer = client.refresh(&world, token).await.send(&world).await;
        assert_eq!(answer.refused(), refusal(400, "invalid_grant", "refresh_token/grant_revoked"));
    }
    let new = Client::app();
    let token = tokens(&world, &new).await.member("refresh_token");
    assert_eq!(new.refresh(&world, &token).await.send(&world).await.status, 200);
}
