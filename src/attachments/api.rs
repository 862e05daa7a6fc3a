//! The routes of attachments.

use std::fs::File;
use std::path::PathBuf;

use actix_files::NamedFile;
use actix_web::http::header::{
    Charset, ContentDisposition, DispositionParam, DispositionType, ExtendedValue,
};
use actix_web::mime::{APPLICATION_OCTET_STREAM, Mime};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service;
use crate::app::App;
use crate::auth::Authenticated;
use crate::db::blocking;
use crate::domain::attachment::{AttachmentRow, AttachmentState};
use crate::files::media;
use crate::http::client_ip;
use crate::http::json::Body;
use crate::kernel::{AttachmentId, Code, ConversationId, Error, MemberId, Millis, Result};
use crate::limits::Key;
use crate::text_enum;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_attachment);
    config.service(get_attachment);
    config.service(delete_attachment);
    config.service(upload_attachment);
    config.service(get_attachment_url);
    config.service(read_file);
}

/// A file that a member sends.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attachment {
    /// The attachment.
    id: AttachmentId,
    /// Who announced it.
    uploader_id: MemberId,
    /// The name of the file.
    name: String,
    /// Bytes.
    size: i64,
    /// How far it is.
    state: AttachmentState,
    /// The type, as the content says; null until the content has come.
    #[schema(required)]
    media_type: Option<String>,
    /// Of a picture: as it is shown, in pixels.
    #[schema(required)]
    width: Option<i64>,
    /// Of a picture: as it is shown, in pixels.
    #[schema(required)]
    height: Option<i64>,
    /// Whether there is a small picture of it.
    has_thumbnail: bool,
    /// The log whose message carries it; null while none does.
    #[schema(required)]
    conversation_id: Option<ConversationId>,
    /// The message that carries it.
    #[schema(required)]
    seq: Option<i64>,
    /// When it was announced.
    created_at: Millis,
    /// Until when a message must carry it; null when one does.
    #[schema(required)]
    expires_at: Option<Millis>,
}

impl From<AttachmentRow> for Attachment {
    fn from(row: AttachmentRow) -> Self {
        Self {
            id: row.id,
            uploader_id: row.uploader_id,
            name: row.name,
            size: row.size,
            state: row.state,
            media_type: row.media_type,
            width: row.width,
            height: row.height,
            has_thumbnail: row.has_thumbnail,
            conversation_id: row.conversation_id,
            seq: row.seq,
            created_at: Millis(row.created_at),
            expires_at: row.sweep_at.map(Millis),
        }
    }
}

/// A file that is to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAttachment {
    /// The name of the file, 1 to 255 characters, without a path.
    name: String,
    /// How many bytes its content has.
    size: i64,
}

/// How the content is brought.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttachmentUpload {
    /// `PUT`.
    method: String,
    /// Where it is brought, on the server that gave this answer.
    url: String,
}

/// A file that was announced.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedAttachment {
    /// The attachment.
    attachment: Attachment,
    /// How its content is brought.
    upload: AttachmentUpload,
}

text_enum! {
    /// What is read of an attachment.
    AttachmentVariant {
        /// The content.
        Original = "original",
        /// A small picture of it, at most 480 pixels wide and high.
        Thumbnail = "thumbnail",
    }
}

/// What is read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AttachmentUrlQuery {
    /// What is read; `original` when absent.
    #[param(inline)]
    variant: Option<AttachmentVariant>,
}

/// A link to a content.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttachmentUrl {
    /// Where it is read, on the server that gave this answer. Whoever has it can read the content until it ends.
    url: String,
    /// When it ends.
    expires_at: Millis,
}

/// Create an attachment
///
/// Announces a file. Bring its content with the request that `upload` names, then send a message of kind `image`, `file`,
/// `voice` or `video` that names it. A member has at most 100 attachments that no message carries; after a day they are
/// removed. Where the operator keeps no files the answer is `409 attachments_off`.
#[utoipa::path(tag = "attachments", request_body = CreateAttachment, responses(
    (status = 201, description = "Announced.", body = CreatedAttachment),
))]
#[post("/attachments")]
pub async fn create_attachment(
    app: web::Data<App>,
    caller: Authenticated,
    input: Body<CreateAttachment>,
) -> Result<HttpResponse> {
    let CreateAttachment { name, size } = input.into_inner();
    let row = service::create(&app, caller.actor, name, size).await?;
    let url = format!("/api/v1/attachments/{}/content", row.id);
    let upload = AttachmentUpload { method: "PUT".to_owned(), url };
    Ok(HttpResponse::Created().json(CreatedAttachment { attachment: row.into(), upload }))
}

/// Read an attachment
///
/// For whoever may read the message that carries it; while none does, for its uploader. What was recalled is `404`.
#[utoipa::path(
    tag = "attachments", params(("id" = AttachmentId, Path, description = "The attachment.")),
    responses((status = 200, description = "The attachment.", body = Attachment)),
)]
#[get("/attachments/{id}")]
pub async fn get_attachment(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<AttachmentId>,
) -> Result<web::Json<Attachment>> {
    service::get(&app, caller.actor, id.into_inner()).await.map(|row| web::Json(row.into()))
}

/// Delete an attachment
///
/// One of one's own that no message carries. What a message carries goes with the recall of the message.
#[utoipa::path(
    tag = "attachments", params(("id" = AttachmentId, Path, description = "The attachment.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/attachments/{id}")]
pub async fn delete_attachment(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<AttachmentId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Upload the content of an attachment
///
/// The bytes themselves, as many as were announced, under any `Content-Type`: the content decides of what type it is. JPEG, PNG,
/// GIF, WebP, common audio and video, PDF, office documents, ZIP and plain text are taken; anything else is
/// `415 file_type_refused`. The answer comes when the content is on the disk and, where the operator has it scanned, was
/// found harmless. The same content again changes nothing. After a failure the same request may be made again, except after
/// `attachment_infected`.
#[utoipa::path(
    tag = "attachments", params(("id" = AttachmentId, Path, description = "The attachment.")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The content."),
    responses((status = 200, description = "The attachment, which is ready.", body = Attachment)),
)]
#[put("/attachments/{id}/content")]
pub async fn upload_attachment(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<AttachmentId>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<web::Json<Attachment>> {
    let length = crate::http::json::announced_length(&request)?;
    let row = service::receive(&app, caller.actor, id.into_inner(), length, body).await?;
    Ok(web::Json(row.into()))
}

/// Make a link to the content of an attachment
///
/// The link needs no token, so that it can stand in an `img` element. It admits for five minutes, and only as long as the
/// session that asked for it lives and the member may read the message.
#[utoipa::path(
    tag = "attachments",
    params(("id" = AttachmentId, Path, description = "The attachment."), AttachmentUrlQuery),
    responses((status = 200, description = "The link.", body = AttachmentUrl)),
)]
#[get("/attachments/{id}/url")]
pub async fn get_attachment_url(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<AttachmentId>,
    query: web::Query<AttachmentUrlQuery>,
) -> Result<web::Json<AttachmentUrl>> {
    let thumbnail = query.variant == Some(AttachmentVariant::Thumbnail);
    let link = service::link(&app, caller.actor, id.into_inner(), thumbnail).await?;
    Ok(web::Json(AttachmentUrl { url: link.path, expires_at: link.ends }))
}

/// Read the content of an attachment
///
/// Under a link of `/attachments/{id}/url`. A part can be asked for with `Range`. Pictures, audio and video are shown in place,
/// everything else is downloaded under the name of the file. A link that leads to nothing any more is `404`.
#[utoipa::path(
    tag = "attachments", security(()), params(("token" = String, Path, description = "The token of the link.")),
    responses(
        (
            status = 200, description = "The content.", body = Vec<u8>, content_type = "*/*",
            headers(("etag" = String, description = "For `If-None-Match` and `If-Range`.")),
        ),
        (
            status = 206, description = "A part of it.", body = Vec<u8>, content_type = "*/*",
            headers(("etag" = String, description = "For `If-Range`.")),
        ),
        (status = 304, description = "The client has it already."),
        (status = 416, description = "There is no such part."),
    ),
)]
#[get("/files/{token}")]
pub async fn read_file(
    app: web::Data<App>,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse> {
    let address = client_ip(&request, &app.settings);
    let followed = service::follow(&app, &token, address).await;
    if followed.is_err() {
        // Who guesses is counted as everybody without a token; whoever has a link is not.
        app.limiter.check(Key::address(address))?;
    }
    let (attachment, file, thumbnail) = followed?;
    let folder = app.files.folder()?;
    let (path, media_type) = match thumbnail {
        true => (folder.thumbnail(file.tenant_id, file.id), file.thumbnail_type),
        false => (folder.content(file.tenant_id, file.id), file.media_type),
    };
    let opened = open(path).await?;
    let media_type = media_type.unwrap_or_default();
    let served = opened
        .use_last_modified(false)
        // Text may be in any encoding.
        .prefer_utf8(false)
        .set_content_type(media_type.parse::<Mime>().unwrap_or(APPLICATION_OCTET_STREAM))
        .set_content_disposition(disposition(&media_type, attachment.name));
    Ok(served.into_response(&request))
}

/// Opens a file of the folder. One that should be there is either lost, or the folder is not the one of the other processes.
async fn open(path: PathBuf) -> Result<NamedFile> {
    blocking(move || {
        let opened = File::open(&path).and_then(|file| NamedFile::from_file(file, &path));
        opened.map_err(|cause| {
            log::error!(target: "deskwire::attachments", "{} cannot be read: {cause}", path.display());
            Error::new(Code::StorageUnavailable, "the content cannot be read")
                .retry_after(2_000)
                .caused_by(cause)
        })
    })
    .await
}

/// Shown in place or downloaded, under the name of the file.
fn disposition(media_type: &str, name: String) -> ContentDisposition {
    let disposition = match media::is_inline(media_type) {
        true => DispositionType::Inline,
        false => DispositionType::Attachment,
    };
    let name = DispositionParam::FilenameExt(ExtendedValue {
        charset: Charset::Ext("UTF-8".to_owned()),
        language_tag: None,
        value: name.into_bytes(),
    });
    ContentDisposition { disposition, parameters: vec![name] }
}
