//! What the database has as text is one of the type's values, or an error.

use diesel::sql_types::Text;
use diesel::{IntoSql, select};
use diesel_async::RunQueryDsl;
use storage::AsText;

use crate::database;

#[derive(Debug, Clone, Copy, PartialEq, strum::AsRefStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
enum Standing {
    Open,
    OnHold,
}

#[tokio::test]
async fn an_enum_is_written_and_read_as_its_text_and_another_text_is_an_error() {
    let (_database, pool) = database().await;
    let mut db = storage::connection(&pool).await.unwrap();
    for (standing, text) in [(Standing::Open, "open"), (Standing::OnHold, "on_hold")] {
        let written: String = select(AsText(standing).into_sql::<Text>()).get_result(&mut *db).await.unwrap();
        let read: AsText<Standing> = select(text.into_sql::<Text>()).get_result(&mut *db).await.unwrap();
        assert_eq!((written.as_str(), read.0), (text, standing));
    }
    for odd in ["", "Open", "on hold", "closed"] {
        let read: Result<AsText<Standing>, _> = select(odd.into_sql::<Text>()).get_result(&mut *db).await;
        assert!(matches!(read, Err(diesel::result::Error::DeserializationError(_))), "{odd}: {read:?}");
    }
}
