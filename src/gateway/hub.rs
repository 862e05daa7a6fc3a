//! The sockets of one worker thread, and the one task that takes the feed for all of them.
//!
//! How it works: every actix worker is one thread. The first socket that a worker accepts makes that thread's hub
//! ([`Hub::of`]), which subscribes to the feed and lives in the thread's own memory, so nothing here is locked. The
//! hub's task takes committed changes, hands them to `deliver` in order of rev, and runs all timers (`sweep`). It
//! ends when the server shuts down and the worker's last socket is gone.
//!
//! Invariants: a tenant's changes are delivered strictly in order, tenants do not wait for each other; the hub never
//! waits for a socket or for the store (what needs the store runs in a task of its own); after a panic anywhere in it
//! the task is restarted with its state made anew ([`rebuild`]), counted and told by readiness.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web;
use futures_util::FutureExt;
use tokio::sync::{Notify, mpsc};

use super::follow::Hole;
use super::places;
use super::protocol::close;
use super::protocol::limits::{STREAM_TTL_MS, TYPING_TTL_MS};
use super::protocol::server::{MemberPosition, MessageStreamNotice, Receipt, TypingNotice};
use super::protocol::table;
use super::rebuild::{self, Suspect};
use super::socket::{Phase, Socket};
use super::tenant::Tenant;
use super::{access, deliver, sweep, wire};
use crate::app::App;
use crate::connections::DeviceSlot;
use crate::domain::actor::Actor;
use crate::journal::Changes;
use crate::journal::ephemeral::Ephemeral;
use crate::journal::feed::FeedItem;
use crate::kernel::{ConversationId, MemberId, Millis, TenantId};
use crate::sync::cursor::{Cursor, Reader};

/// Items of the feed that may wait for one worker; what does not fit is read from the store.
const FEED_CAPACITY: usize = 1_024;
/// How often timers are looked at.
const TICK: Duration = Duration::from_millis(super::protocol::limits::READ_COLLECT_MS);

/// The sockets of one worker.
pub struct Hub {
    /// The server.
    pub app: web::Data<App>,
    /// Tenants with signed-in sockets.
    pub tenants: RefCell<HashMap<TenantId, Tenant>>,
    /// Every socket.
    pub sockets: RefCell<HashMap<i64, Rc<Socket>>>,
    /// Sockets that collected something for the next tick.
    pub busy: RefCell<Vec<Rc<Socket>>>,
    /// The server shuts down.
    pub draining: Cell<bool>,
    /// What is being worked on, for the case that it panics.
    pub suspect: Cell<Option<Suspect>>,
    /// What was worked on by tasks that panicked.
    pub suspects: RefCell<Vec<Suspect>>,
    panicked: Notify,
    running: Cell<bool>,
    generations: Cell<u64>,
}

thread_local! {
    static HUBS: RefCell<Vec<Weak<Hub>>> = const { RefCell::new(Vec::new()) };
}

impl Hub {
    /// This worker's hub for this server; made when there is none.
    pub fn of(app: &web::Data<App>) -> Rc<Self> {
        HUBS.with_borrow_mut(|hubs| {
            hubs.retain(|hub| hub.strong_count() > 0);
            let mine = hubs.iter().filter_map(Weak::upgrade).find(|hub| Arc::ptr_eq(&hub.app, app));
            mine.unwrap_or_else(|| {
                let hub = Rc::new(Self {
                    app: app.clone(),
                    tenants: RefCell::default(),
                    sockets: RefCell::default(),
                    busy: RefCell::default(),
                    draining: Cell::new(false),
                    suspect: Cell::new(None),
                    suspects: RefCell::default(),
                    panicked: Notify::new(),
                    running: Cell::new(false),
                    generations: Cell::new(0),
                });
                hubs.push(Rc::downgrade(&hub));
                let supervised = hub.clone();
                // The first subscription is made now, so that the first socket misses nothing.
                let first = Cell::new(Some(app.feed.subscribe(FEED_CAPACITY)));
                app.tasks.spawn_local("hub", move || {
                    let feed = first.take().unwrap_or_else(|| supervised.app.feed.subscribe(FEED_CAPACITY));
                    supervised.clone().run(feed)
                });
                hub
            })
        })
    }

    async fn run(self: Rc<Self>, mut feed: mpsc::Receiver<FeedItem>) {
        if self.running.replace(true) {
            rebuild::run(&self);
        }
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                item = feed.recv() => match item {
                    Some(item) => self.take(item),
                    None => return,
                },
                _ = tick.tick() => {
                    sweep::tick(&self);
                    if self.draining.get() && self.sockets.borrow().is_empty() {
                        return;
                    }
                }
                // A task of the hub panicked: so does the hub, and is restarted with its state made anew.
                () = self.panicked.notified() => {
                    std::panic::resume_unwind(Box::new("a task of the hub panicked"))
                }
            }
            // Handing out thousands of frames uses up what a task may do before it has to yield; the hub is not
            // stopped by that, and yields by itself.
            tokio::task::yield_now().await;
        }
    }

    /// Runs work of the hub that waits for the store. When it panics, the hub is restarted.
    pub fn spawn(self: &Rc<Self>, suspect: Suspect, work: impl Future<Output = ()> + 'static) {
        let hub = self.clone();
        actix_web::rt::spawn(tokio::task::unconstrained(Box::pin(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                hub.suspects.borrow_mut().push(suspect);
                hub.panicked.notify_one();
            }
        })));
    }

    /// A number that no tenant of this worker had before.
    pub fn next_generation(&self) -> u64 {
        self.generations.set(self.generations.get() + 1);
        self.generations.get()
    }

    fn take(self: &Rc<Self>, item: FeedItem) {
        match item {
            FeedItem::Changes(changes) => self.changes(changes),
            FeedItem::Ephemeral(item) => self.ephemeral(&item),
            FeedItem::Behind => self.look_behind(true),
        }
    }

    fn changes(self: &Rc<Self>, changes: Arc<Changes>) {
        let id = changes.tenant;
        let mut tenants = self.tenants.borrow_mut();
        let ready = tenants.get_mut(&id).map(|tenant| tenant.follower.offer(changes)).unwrap_or_default();
        drop(tenants);
        ready.into_iter().for_each(|changes| deliver::take(self, id, changes));
        self.fill_hole(id, false);
    }

    /// Asks for what is missing in tenants' logs. `told` says that something may be.
    pub fn look_behind(self: &Rc<Self>, told: bool) {
        let ids: Vec<TenantId> = self.tenants.borrow().keys().copied().collect();
        ids.into_iter().for_each(|id| self.fill_hole(id, told));
    }

    fn fill_hole(&self, id: TenantId, told: bool) {
        let mut tenants = self.tenants.borrow_mut();
        let Some(tenant) = tenants.get_mut(&id) else { return };
        match tenant.follower.hole(self.app.feed.committed(id), Instant::now(), told) {
            Some(Hole::Ask(from, to)) => self.app.feed.ask_repair(id, from, to),
            Some(Hole::Jump(head)) => {
                log::warn!(target: "deskwire::gateway", "tenant {id}: too far behind, going on after rev {head}");
                rebuild::go_on_after(self, tenant, head);
            }
            None => {}
        }
    }

    fn ephemeral(&self, item: &Ephemeral) {
        let tenants = self.tenants.borrow();
        match item {
            Ephemeral::Delivered { tenant, conversation, member, seq, recipients } => {
                let Some(tenant) = tenants.get(tenant) else { return };
                let delivered = Some(MemberPosition { member_id: *member, seq: *seq });
                let receipt = Receipt { delivered, ..Receipt::of(*conversation) };
                let bytes = wire::frame(table::RECEIPT, &receipt);
                tenant.audience(*conversation, recipients).for_each(|socket| socket.ephemeral(bytes.clone()));
            }
            Ephemeral::Typing { tenant, conversation, member, on, recipients } => {
                let Some(tenant) = tenants.get(tenant) else { return };
                let notice = TypingNotice {
                    conversation_id: *conversation,
                    member_id: *member,
                    on: *on,
                    ttl_ms: TYPING_TTL_MS,
                };
                let bytes = wire::frame(table::TYPING, &notice);
                let others =
                    |socket: &&Rc<Socket>| socket.actor.get().is_none_or(|who| who.member != *member);
                tenant
                    .audience(*conversation, recipients)
                    .filter(others)
                    .for_each(|socket| socket.ephemeral(bytes.clone()));
            }
            Ephemeral::Stream { tenant, words, recipients } => {
                let Some(tenant) = tenants.get(tenant) else { return };
                let notice = MessageStreamNotice {
                    conversation_id: words.conversation,
                    member_id: words.member,
                    client_msg_id: words.client_msg_id.clone(),
                    n: words.n,
                    text: words.text.clone(),
                    ttl_ms: STREAM_TTL_MS,
                };
                let bytes = wire::frame(table::MESSAGE_STREAM, &notice);
                tenant
                    .audience(words.conversation, recipients)
                    .filter(|socket| socket.actor.get().is_none_or(|who| who.member != words.member))
                    .for_each(|socket| socket.ephemeral(bytes.clone()));
            }
            Ephemeral::Places { tenant, places: changed } => {
                let Some(tenant) = tenants.get(tenant) else { return };
                places::tell(tenant, changed);
            }
            Ephemeral::Bans(tenant) => {
                let Some(tenant) = tenants.get(tenant) else { return };
                tenant.members.values().flatten().for_each(|socket| {
                    access::bar(socket);
                });
            }
            Ephemeral::Replaced { tenant, member, device, socket } => {
                let Some(sockets) = tenants.get(tenant).and_then(|tenant| tenant.members.get(member)) else {
                    return;
                };
                for one in sockets.iter().filter(|one| one.device().as_ref() == Some(device)) {
                    // Ids rise with time, so of two that connect at once only the older goes.
                    if i64::try_from(*socket).is_ok_and(|newer| one.id < newer) {
                        one.close(close::REPLACED, close::REPLACED.name);
                    }
                }
            }
        }
    }

    /// A socket has connected.
    pub fn enter(&self, socket: &Rc<Socket>) {
        self.sockets.borrow_mut().insert(socket.id, socket.clone());
    }

    /// Somebody signed in on a socket: from now on its frames are held for it.
    pub fn register(&self, socket: &Rc<Socket>, actor: Actor, slot: DeviceSlot, expires_at: Millis) {
        socket.sign_in(actor, slot, expires_at);
        let mut tenants = self.tenants.borrow_mut();
        let tenant = tenants.entry(actor.tenant).or_insert_with(|| Tenant {
            generation: self.next_generation(),
            following: Some(self.app.feed.follow(actor.tenant)),
            ..Tenant::default()
        });
        tenant.add(socket, &actor);
    }

    /// A socket that is registered has read the tenant's head: everything that is committed after it reaches this
    /// worker.
    pub fn follow(&self, id: TenantId, head: i64) {
        let mut tenants = self.tenants.borrow_mut();
        let Some(tenant) = tenants.get_mut(&id).filter(|tenant| !tenant.follower.is_set()) else { return };
        tenant.follower.begin(head);
        tenant.delivered = head;
        drop(tenants);
        // What was committed while the head was read came too early to be kept.
        self.fill_hole(id, true);
    }

    /// A socket is gone.
    pub fn remove(&self, socket: &Rc<Socket>) {
        self.sockets.borrow_mut().remove(&socket.id);
        let Some(actor) = socket.actor.get() else { return };
        let mut tenants = self.tenants.borrow_mut();
        let Some(tenant) = tenants.get_mut(&actor.tenant) else { return };
        tenant.remove(socket, &actor);
        if tenant.members.is_empty() {
            tenants.remove(&actor.tenant);
        }
    }

    /// A member's cursor at a place in its tenant's log.
    pub fn member_cursor(&self, tenant: TenantId, member: MemberId, rev: i64) -> Cursor {
        Reader::member(&self.app.epoch, tenant, member).at(rev)
    }

    /// The text of [`Hub::member_cursor`] for who is on a socket.
    pub fn cursor(&self, actor: &Actor, rev: i64) -> String {
        self.member_cursor(actor.tenant, actor.member, rev).to_string()
    }

    /// Works on a tenant, unless it went away meanwhile or is another generation.
    pub fn with_tenant<T>(
        &self,
        id: TenantId,
        generation: u64,
        work: impl FnOnce(&mut Tenant) -> T,
    ) -> Option<T> {
        self.tenants.borrow_mut().get_mut(&id).filter(|tenant| tenant.generation == generation).map(work)
    }

    /// Every socket of the worker that is not closing.
    pub fn open_sockets(&self) -> Vec<Rc<Socket>> {
        self.sockets.borrow().values().filter(|one| one.phase.get() != Phase::Closing).cloned().collect()
    }
}

impl Receipt {
    /// A receipt in which nothing moved yet.
    pub fn of(conversation_id: ConversationId) -> Self {
        Self {
            conversation_id,
            customer_read_seq: None,
            staff_read_seq: None,
            customer_delivered_seq: None,
            staff_delivered_seq: None,
            delivered: None,
        }
    }
}
