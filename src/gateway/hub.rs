//! The sockets of one worker thread, and the one task that takes the feed for all of them.
//!
//! How it works: every actix worker is one thread. The first socket that a worker accepts makes that thread's hub
//! ([`Hub::of`]), which subscribes to the feed and lives in the thread's own memory, so nothing here is locked. The
//! hub's task takes committed changes, hands them to `deliver` in order of rev, and runs all timers (`sweep`). It
//! ends when the server shuts down and the worker's last socket is gone.
//!
//! Invariants: a tenant's changes are delivered strictly in order, tenants do not wait for each other; the hub never
//! waits for a socket or for the store (what needs the store runs in a task of its own).

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web;
use tokio::sync::mpsc;

use super::follow::{Follower, Step};
use super::protocol::close;
use super::socket::{Phase, Socket};
use super::{deliver, repair, sweep, wire};
use crate::app::App;
use crate::domain::actor::Actor;
use crate::journal::Changes;
use crate::journal::feed::{Ephemeral, FeedItem, Following};
use crate::kernel::{ConversationId, MemberId, Result, TenantId};
use crate::sync::cursor::Cursor;

use super::protocol::limits::TYPING_TTL_MS;
use super::protocol::server::{MemberPosition, Receipt, TypingNotice};
use crate::connections::DeviceSlot;

/// Items of the feed that may wait for one worker; what does not fit is read from the store.
const FEED_CAPACITY: usize = 1_024;
/// How often timers are looked at.
const TICK: Duration = Duration::from_millis(super::protocol::limits::READ_COLLECT_MS);

/// A tenant with sockets on this worker.
#[derive(Default)]
pub struct Tenant {
    /// Tells this one from an earlier one of the same tenant, whose tasks may still run.
    pub generation: u64,
    /// Where this worker stands in the tenant's log.
    pub follower: Follower,
    /// While it is here, the tail looks for what other processes commit for the tenant.
    pub following: Option<Following>,
    /// Changes that are in order and wait to be delivered.
    pub ready: VecDeque<Arc<Changes>>,
    /// A task delivers them.
    pub delivering: bool,
    /// Everything up to this rev has been handed to the sockets.
    pub delivered: i64,
    /// Signed-in sockets.
    pub members: HashMap<MemberId, Vec<Rc<Socket>>>,
    /// Who watches a conversation without being in it.
    pub watchers: HashMap<ConversationId, Vec<Rc<Socket>>>,
    /// Staff who watch the waiting ones.
    pub waiting: Vec<Rc<Socket>>,
    /// Positions that were last told.
    pub positions: HashMap<ConversationId, [i64; 4]>,
}

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
                    generations: Cell::new(0),
                });
                hubs.push(Rc::downgrade(&hub));
                let feed = app.feed.subscribe(FEED_CAPACITY);
                // Handing thousands of frames to connections in one go uses up what a task may do before it has to
                // yield; a connection would then look full. The loop yields by itself instead.
                actix_web::rt::spawn(tokio::task::unconstrained(hub.clone().run(feed)));
                hub
            })
        })
    }

    async fn run(self: Rc<Self>, mut feed: mpsc::Receiver<FeedItem>) {
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
            }
            tokio::task::yield_now().await;
        }
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
        let step = match self.tenants.borrow_mut().get_mut(&id) {
            Some(tenant) => tenant.follower.offer(changes),
            None => return,
        };
        match step {
            Step::Deliver(changes) => self.ready(id, changes),
            Step::Repair(to) => repair::start(self, id, to),
            Step::Nothing => {}
        }
    }

    /// Delivers changes that are next in order.
    pub fn ready(self: &Rc<Self>, id: TenantId, changes: Arc<Changes>) {
        if let Some(tenant) = self.tenants.borrow_mut().get_mut(&id) {
            tenant.ready.push_back(changes);
        }
        deliver::pump(self, id);
    }

    /// Repairs tenants whose committed rev has not come.
    pub fn look_behind(self: &Rc<Self>, told: bool) {
        let now = Instant::now();
        let mut behind = Vec::new();
        for (id, tenant) in self.tenants.borrow_mut().iter_mut() {
            let committed = self.app.feed.committed(*id);
            if tenant.follower.is_behind(committed, now, told) {
                behind.push((*id, committed));
            }
        }
        for (id, committed) in behind {
            repair::start(self, id, committed);
        }
    }

    fn ephemeral(&self, item: &Ephemeral) {
        let tenants = self.tenants.borrow();
        match item {
            Ephemeral::Delivered { tenant, conversation, member, seq, recipients } => {
                let Some(tenant) = tenants.get(tenant) else { return };
                let delivered = Some(MemberPosition { member_id: *member, seq: *seq });
                let receipt = Receipt { delivered, ..Receipt::of(*conversation) };
                let bytes = wire::frame("receipt", &receipt);
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
                let bytes = wire::frame("typing", &notice);
                let others =
                    |socket: &&Rc<Socket>| socket.actor.get().is_none_or(|who| who.member != *member);
                tenant
                    .audience(*conversation, recipients)
                    .filter(others)
                    .for_each(|socket| socket.ephemeral(bytes.clone()));
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
    pub fn register(
        &self,
        socket: &Rc<Socket>,
        actor: Actor,
        slot: DeviceSlot,
        expires_at: crate::kernel::Millis,
    ) {
        socket.sign_in(actor, slot, expires_at);
        let mut tenants = self.tenants.borrow_mut();
        let tenant = tenants.entry(actor.tenant).or_insert_with(|| {
            self.generations.set(self.generations.get() + 1);
            Tenant { generation: self.generations.get(), ..Tenant::default() }
        });
        tenant.members.entry(actor.member).or_insert_with(|| Vec::with_capacity(1)).push(socket.clone());
    }

    /// Makes sure that everything that is committed from now on will reach this worker.
    pub async fn follow(self: &Rc<Self>, id: TenantId) -> Result<()> {
        let is_set = |hub: &Self| hub.tenants.borrow().get(&id).is_none_or(|tenant| tenant.follower.is_set());
        if is_set(self) {
            return Ok(());
        }
        // With one process on the store, what it committed last is the head. Others commit without telling for as
        // long as nobody here follows the tenant.
        let mut head = self.app.feed.committed(id);
        if head == 0 || self.app.db.kind().is_server() {
            let read = move |connection: &mut crate::db::AnyConnection| {
                crate::journal::history::head(connection, id)
            };
            head = self.app.db.read(read).await?;
        }
        if let Some(tenant) = self.tenants.borrow_mut().get_mut(&id)
            && !tenant.follower.is_set()
        {
            tenant.follower.begin(head);
            tenant.following = Some(self.app.feed.follow(id));
            tenant.delivered = head;
        }
        // What was committed while the head was read came too early to be kept.
        let committed = self.app.feed.committed(id);
        if committed > head {
            repair::start(self, id, committed);
        }
        Ok(())
    }

    /// A socket is gone.
    pub fn remove(&self, socket: &Rc<Socket>) {
        self.sockets.borrow_mut().remove(&socket.id);
        let Some(actor) = socket.actor.get() else { return };
        let mut tenants = self.tenants.borrow_mut();
        let Some(tenant) = tenants.get_mut(&actor.tenant) else { return };
        let is_other = |one: &Rc<Socket>| one.id != socket.id;
        if let Some(sockets) = tenant.members.get_mut(&actor.member) {
            sockets.retain(is_other);
            if sockets.is_empty() {
                tenant.members.remove(&actor.member);
            }
        }
        if let Some(pending) = socket.pending.borrow().as_ref() {
            for conversation in &pending.watches {
                if let Some(watchers) = tenant.watchers.get_mut(conversation) {
                    watchers.retain(is_other);
                    if watchers.is_empty() {
                        tenant.watchers.remove(conversation);
                    }
                }
            }
            if pending.waiting {
                tenant.waiting.retain(is_other);
            }
        }
        if tenant.members.is_empty() {
            tenants.remove(&actor.tenant);
        }
    }

    /// The opaque text of a place in a tenant's log.
    pub fn cursor(&self, rev: i64) -> String {
        Cursor::new(&self.app.epoch, rev.max(0)).to_string()
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

impl Tenant {
    /// The sockets of these members and of those who watch the conversation.
    pub fn audience<'a>(
        &'a self,
        conversation: ConversationId,
        members: &'a [MemberId],
    ) -> impl Iterator<Item = &'a Rc<Socket>> {
        let inside = members.iter().filter_map(|member| self.members.get(member)).flatten();
        let watching = self.watchers.get(&conversation).into_iter().flatten();
        inside.chain(
            watching.filter(move |socket| {
                socket.actor.get().is_some_and(|actor| !members.contains(&actor.member))
            }),
        )
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
