//! Keeps the list: one process in one folder, one writer, any number of readers.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use domain::account_list::{self, ContentHash};
use domain::signature::{Digest256, PublicKey};
use serde::{Deserialize, Serialize};

use super::files::{clear, read_json, remove, sync_folder, write_json};
use super::guard::{Anchor, Held, ListSettings};
use super::log::{DeltaLog, Frame};
use super::merge::Merge;
use super::overlay::Overlay;
use super::table::{Kind, Table, TableWriter, Title};
use super::view::{ListView, State};
use super::vouch::Vouched;
use super::{ListError, SignedMessage, SnapshotBuilder, parse_delta, read_delta};

const BASE: &str = "accounts.list";
const RUN: &str = "changes.list";
const LOG: &str = "deltas.log";
const HELD: &str = "held.json";
const HELD_BASE: &str = "held.list";
const CONFIRMED: &str = "confirmed.json";
/// A run becomes part of the base when it is this share of it.
const RUN_SHARE: u64 = 16;

/// Where the list is kept; clones keep the same list.
#[derive(Debug, Clone)]
pub struct ListStore {
    folder: PathBuf,
    centre: PublicKey,
    settings: ListSettings,
    view: Arc<ArcSwap<ListView>>,
    writer: Arc<Mutex<Writer>>,
    met_damage: Arc<AtomicBool>,
    vouched: Arc<Vouched>,
}

/// What the one writer has.
#[derive(Debug)]
struct Writer {
    log: DeltaLog,
    /// Counts snapshots, so that a compaction that one overtook comes to nothing.
    snapshots: u64,
    held: Option<Held>,
    /// Held for as long as the store lives: a second process is refused.
    _lock: File,
}

/// What a person said may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Confirmed {
    version: u64,
    hash: Digest256,
}

/// What was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The version.
    pub version: u64,
    /// Its content hash.
    pub hash: ContentHash,
    /// How many tags.
    pub tags: u64,
}

/// What a folder keeps, as somebody sees it who does not run the lanes.
#[derive(Debug)]
pub struct Kept {
    /// The list.
    pub view: Arc<ListView>,
    /// What waits for a person.
    pub held: Option<Held>,
}

impl ListStore {
    /// Opens the list that a folder keeps; empty where there is none, or where what is there proves
    /// nothing.
    ///
    /// # Errors
    /// When the folder cannot be made or written, or another process has it.
    pub fn open(
        folder: &Path,
        centre: PublicKey,
        settings: ListSettings,
    ) -> Result<Self, ListError> {
        let keep = |source| ListError::Keep { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(keep)?;
        let lock = File::create(folder.join("lock")).map_err(keep)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(source) => keep(source),
            TryLockError::WouldBlock => keep(io::Error::other("another process keeps it")),
        })?;
        clear(folder).map_err(keep)?;
        let met_damage = Arc::new(AtomicBool::new(false));
        let mut view = tables(folder, &centre, &met_damage);
        let (mut log, frames) = DeltaLog::open(&folder.join(LOG)).map_err(keep)?;
        let found = frames.len();
        let used = replay(&mut view, frames, &centre);
        if used.len() < found {
            log.replace(used.into_iter()).map_err(keep)?;
        }
        let held = read_json(&folder.join(HELD));
        let vouched = Arc::new(Vouched::of(folder, &centre, view.version(), view.hash()));
        view.vouched = Arc::clone(&vouched);
        Ok(Self {
            folder: folder.to_owned(),
            centre,
            settings,
            view: Arc::new(ArcSwap::from_pointee(view)),
            writer: Arc::new(Mutex::new(Writer { log, snapshots: 0, held, _lock: lock })),
            met_damage,
            vouched,
        })
    }

    /// Looks at what a folder keeps, without changing any of it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn look(folder: &Path, centre: &PublicKey) -> Result<Kept, ListError> {
        let path = folder.join(LOG);
        let frames = DeltaLog::read(&path).map_err(|source| ListError::Keep { path, source })?;
        let mut view = tables(folder, centre, &Arc::default());
        replay(&mut view, frames, centre);
        view.vouched = Arc::new(Vouched::of(folder, centre, view.version(), view.hash()));
        Ok(Kept { view: Arc::new(view), held: read_json(&folder.join(HELD)) })
    }

    /// Says that what a folder holds back may be. The process that keeps the list takes it within a
    /// second, or when it starts.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn confirm(folder: &Path, held: &Held) -> Result<(), ListError> {
        let path = folder.join(CONFIRMED);
        let confirmed = Confirmed { version: held.version, hash: held.hash };
        write_json(&path, &confirmed).map_err(|source| ListError::Keep { path, source })
    }

    /// The list as it is now. It stays as it is for as long as it is held.
    #[must_use]
    pub fn view(&self) -> Arc<ListView> {
        self.view.load_full()
    }

    /// What waits for a person.
    #[must_use]
    pub fn held(&self) -> Option<Held> {
        self.writer().held.clone()
    }

    /// Whether a part of the kept list is damaged, so that only a snapshot helps.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.met_damage.load(Ordering::Relaxed)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) const fn centre(&self) -> &PublicKey {
        &self.centre
    }

    pub(super) fn vouched(&self) -> &Vouched {
        &self.vouched
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn keep(&self) -> impl Fn(io::Error) -> ListError + Copy + '_ {
        |source| ListError::Keep { path: self.folder.clone(), source }
    }

    /// Applies a delta whole, or not at all.
    ///
    /// # Errors
    /// When it is forged, does not follow, would not lead to what the centre said, must be confirmed
    /// first, or cannot be kept; in the last case alone it is in use all the same.
    pub fn apply(&self, message: &SignedMessage) -> Result<(), ListError> {
        let mut writer = self.writer();
        let delta = read_delta(message, &self.centre)?;
        let now = self.view.load_full();
        let (have, offered) = (now.version(), delta.version);
        let refuse = |error| Err(ListError::Refused(error));
        if offered <= have {
            return refuse(account_list::ListError::Old { have, offered });
        }
        if offered != have + 1 {
            return refuse(account_list::ListError::Gap { have, delta: offered });
        }
        if delta.hash_before != now.hash() {
            return refuse(account_list::ListError::Hash { version: offered });
        }
        let (hash, tags) = now.after(&delta.changes)?;
        if hash != delta.hash {
            return refuse(account_list::ListError::Hash { version: offered });
        }
        let anchor = now.state.anchor.moved_on(now.len(), delta.issued_at);
        let anchor = match self.guard(anchor, offered, hash, tags) {
            Ok(true) => Anchor { tags, at: delta.issued_at },
            Ok(false) => anchor,
            Err(held) => {
                let held = Held { delta: Some(message.clone()), ..*held };
                return self.hold(&mut writer, held);
            }
        };
        let mut next = ListView::clone(&now);
        next.overlay.take(&delta.changes);
        next.state = State {
            version: offered,
            hash,
            issued_at: delta.issued_at,
            tags,
            anchor,
            warrant: Some(Arc::new(message.clone())),
        };
        self.view.store(Arc::new(next));
        self.let_go(&mut writer);
        let frame = Frame { version: offered, tags, anchor, message: message.clone() };
        writer.log.append(&frame).map_err(self.keep())
    }

    /// Begins to take a snapshot; nothing is in use before it is installed.
    ///
    /// # Errors
    /// When the manifest is forged or no manifest, or the disk fails.
    pub fn begin_snapshot(&self, manifest: &SignedMessage) -> Result<SnapshotBuilder, ListError> {
        SnapshotBuilder::begin(&self.folder, manifest, self.centre)
    }

    /// Whether a snapshot of this version and content would be taken; a list never goes back.
    ///
    /// # Errors
    /// When it would not.
    pub fn would_take(&self, version: u64, hash: ContentHash) -> Result<(), ListError> {
        let now = self.view.load();
        let old = account_list::ListError::Old { have: now.version(), offered: version };
        if self.writer().held.as_ref().is_some_and(|held| held.is(version, hash)) {
            return Err(ListError::Refused(old));
        }
        self.is_no_way_back(&now, version, hash)
    }

    fn is_no_way_back(
        &self,
        now: &ListView,
        version: u64,
        hash: ContentHash,
    ) -> Result<(), ListError> {
        let have = now.version();
        if version == have && hash != now.hash() {
            return Err(ListError::Refused(account_list::ListError::Hash { version }));
        }
        // The same once more mends what is damaged.
        if version > have || (version == have && version > 0 && self.is_damaged()) {
            return Ok(());
        }
        Err(ListError::Refused(account_list::ListError::Old { have, offered: version }))
    }

    /// Proves a snapshot, and puts it in the place of everything before it.
    ///
    /// # Errors
    /// When it is not what the manifest said, would be a way back, must be confirmed first, or
    /// cannot be kept; then what was in use still is.
    pub fn install(&self, snapshot: SnapshotBuilder) -> Result<(), ListError> {
        let content = snapshot.content();
        let (version, tags) = (content.version, snapshot.tags());
        let hash = ContentHash::new(*content.hash.as_bytes());
        let issued_at = content.issued_at;
        let before = self.view.load_full();
        self.is_no_way_back(&before, version, hash)?;
        let anchor = before.state.anchor.moved_on(before.len(), issued_at);
        let new = self.path(BASE).with_extension("new");
        // What is in use only once a person has confirmed it is what is compared with from then on.
        let anew = anchor.tags == 0 || self.settings.must_be_confirmed(anchor, tags);
        let begun = if anew { Anchor { tags, at: issued_at } } else { anchor };
        let manifest = snapshot.manifest().clone();
        snapshot.finish(&new, begun)?;
        let mut writer = self.writer();
        self.is_no_way_back(&self.view.load(), version, hash)?;
        match self.guard(anchor, version, hash, tags) {
            Ok(_confirmed) => self.place_base(&mut writer, &new, &manifest),
            Err(held) => {
                std::fs::rename(&new, self.path(HELD_BASE)).map_err(self.keep())?;
                self.hold(&mut writer, *held)
            }
        }
    }

    /// Gives a finished base its name, and all readers the list in it.
    fn place_base(
        &self,
        writer: &mut Writer,
        new: &Path,
        manifest: &SignedMessage,
    ) -> Result<(), ListError> {
        let place = self.path(BASE);
        std::fs::rename(new, &place).map_err(self.keep())?;
        sync_folder(&self.folder).map_err(self.keep())?;
        let base = Table::open(&place, &self.centre)?;
        base.bring_in();
        let state = state_of(&base, Arc::new(manifest.clone()));
        let salt = base.header.salt;
        self.met_damage.store(false, Ordering::Relaxed);
        self.view.store(Arc::new(ListView {
            state,
            salt,
            base: Some(Arc::new(base)),
            run: None,
            frozen: None,
            overlay: Overlay::new(salt),
            met_damage: Arc::clone(&self.met_damage),
            vouched: Arc::clone(&self.vouched),
        }));
        writer.snapshots += 1;
        self.let_go(writer);
        remove(&self.path(RUN)).map_err(self.keep())?;
        writer.log.replace(std::iter::empty()).map_err(self.keep())
    }

    /// Asks the size guard; tells whether a person had to confirm, and has.
    fn guard(
        &self,
        anchor: Anchor,
        version: u64,
        hash: ContentHash,
        tags: u64,
    ) -> Result<bool, Box<Held>> {
        if !self.settings.must_be_confirmed(anchor, tags) {
            return Ok(false);
        }
        let hash = Digest256::new(*hash.as_bytes());
        let tags_before = anchor.tags;
        let held = Held { version, hash, tags_before, tags_after: tags, delta: None };
        let confirmed: Option<Confirmed> = read_json(&self.path(CONFIRMED));
        if confirmed == Some(Confirmed { version, hash }) { Ok(true) } else { Err(Box::new(held)) }
    }

    fn hold(&self, writer: &mut Writer, held: Held) -> Result<(), ListError> {
        let Held { version, tags_before, tags_after, .. } = held;
        // A later one stays: who confirms that has no use for this.
        if writer.held.as_ref().is_none_or(|before| before.version < version) {
            write_json(&self.path(HELD), &held).map_err(self.keep())?;
            writer.held = Some(held);
        }
        Err(ListError::Held { version, tags_before, tags_after })
    }

    /// What was held is in use, or something newer is.
    fn let_go(&self, writer: &mut Writer) {
        if writer.held.take().is_none() {
            return;
        }
        for name in [HELD, HELD_BASE, CONFIRMED] {
            // What stays is overtaken: its version is no longer newer than the list.
            if let Err(error) = remove(&self.path(name)) {
                tracing::warn!(%error, "a held list is still there");
            }
        }
    }

    /// Takes what was held, where a person has confirmed it since; tells whether it did.
    ///
    /// # Errors
    /// As for a delta or snapshot.
    pub fn take_confirmed(&self) -> Result<bool, ListError> {
        let Some(held) = self.held() else { return Ok(false) };
        let said: Option<Confirmed> = read_json(&self.path(CONFIRMED));
        if said != Some(Confirmed { version: held.version, hash: held.hash }) {
            return Ok(false);
        }
        if let Some(delta) = &held.delta {
            return self.apply(delta).map(|()| true);
        }
        let path = self.path(HELD_BASE);
        let manifest = Table::open(&path, &self.centre)?.warrant()?;
        let mut writer = self.writer();
        let hash = ContentHash::new(*held.hash.as_bytes());
        manifest.prove(&self.centre, held.version, hash)?;
        self.is_no_way_back(&self.view.load(), held.version, hash)?;
        self.place_base(&mut writer, &path, &manifest).map(|()| true)
    }

    /// Brings the list into memory, reads all of it, and proves that it is what the centre signed.
    /// Takes seconds; meant for a thread that nobody waits for.
    ///
    /// # Errors
    /// When a part is damaged, or the whole is not what was signed.
    pub fn prove(&self) -> Result<Proof, ListError> {
        let view = self.view();
        for table in [&view.base, &view.run].into_iter().flatten() {
            table.bring_in();
        }
        let proved = view.prove();
        if proved.is_err() && Arc::ptr_eq(&view, &self.view()) {
            self.met_damage.store(true, Ordering::Relaxed);
        }
        proved.map(|()| Proof { version: view.version(), hash: view.hash(), tags: view.len() })
    }

    /// Makes a table of the changes in memory where they are many; tells whether it did. Deltas and
    /// lookups go on meanwhile.
    ///
    /// # Errors
    /// When the disk fails, or the tables to be merged are damaged; nothing has changed then.
    pub fn compact_if_due(&self) -> Result<bool, ListError> {
        let due = {
            let view = self.view.load();
            view.frozen.is_some() || view.overlay.len() >= self.settings.changes_in_memory_max
        };
        if due { self.compact().map(|()| true) } else { Ok(false) }
    }

    /// Makes a table of the changes in memory.
    ///
    /// # Errors
    /// As for [`ListStore::compact_if_due`].
    pub fn compact(&self) -> Result<(), ListError> {
        let (view, snapshots) = {
            let writer = self.writer();
            let mut view = ListView::clone(&self.view.load());
            if view.frozen.is_none() && view.overlay.len() > 0 {
                let overlay = std::mem::replace(&mut view.overlay, Overlay::new(view.salt));
                view.frozen = Some(Arc::new((overlay, view.state.clone())));
                self.view.store(Arc::new(view.clone()));
            }
            (view, writer.snapshots)
        };
        let Some(frozen) = view.frozen.clone() else { return Ok(()) };
        let run_rows = view.run.as_ref().map_or(0, |run| run.header.rows) + frozen.0.len();
        let base_rows = view.base.as_ref().map_or(0, |base| base.header.rows);
        let room = self.settings.changes_on_disk_max.max(base_rows / RUN_SHARE);
        let upon = view.base.as_ref().filter(|_| run_rows <= room);
        let kind = upon.map_or(Kind::Base, |base| {
            let (version, hash) = (base.header.version, base.header.hash);
            Kind::Run { version, hash }
        });
        let name = self.path(if kind == Kind::Base { BASE } else { RUN });
        let new = name.with_extension("merged");
        self.write_merged(&new, &view, &frozen, kind)?;

        let mut writer = self.writer();
        if writer.snapshots != snapshots {
            return remove(&new).map_err(self.keep());
        }
        std::fs::rename(&new, &name).map_err(self.keep())?;
        sync_folder(&self.folder).map_err(self.keep())?;
        let table = Arc::new(Table::open(&name, &self.centre)?);
        // Here the pages cost nobody a fault; later each would cost a lookup one.
        table.bring_in();
        let mut next = ListView::clone(&self.view.load());
        next.frozen = None;
        if kind == Kind::Base {
            (next.base, next.run) = (Some(table), None);
        } else {
            next.run = Some(table);
        }
        self.view.store(Arc::new(next));
        if kind == Kind::Base {
            remove(&self.path(RUN)).map_err(self.keep())?;
        }
        writer.log.keep_after(frozen.1.version).map_err(self.keep())
    }

    fn write_merged(
        &self,
        path: &Path,
        view: &ListView,
        frozen: &(Overlay, State),
        kind: Kind,
    ) -> Result<(), ListError> {
        let keep = |source| ListError::Keep { path: path.to_owned(), source };
        let (overlay, state) = frozen;
        let unproven = ListError::Unproven { version: state.version };
        let warrant = state.warrant.as_deref().ok_or(unproven)?;
        let base = view.base.as_deref().filter(|_| kind == Kind::Base);
        let layers = [view.run.as_deref(), base].into_iter().flatten();
        let common = layers.map(|table| table.header.common).sum::<u64>() + overlay.len();
        let common = if kind == Kind::Base { common.min(state.tags) } else { common };
        let title = Title {
            kind,
            version: state.version,
            hash: state.hash,
            issued_at: state.issued_at,
            tags: state.tags,
            anchor: state.anchor,
            salt: view.salt,
        };
        let mut table =
            TableWriter::create(path, title, common, warrant.clone(), self.centre).map_err(keep)?;
        Merge::default()
            .over_changes(Some(overlay))
            .over_table(view.run.as_deref())?
            .over_table(base)?
            .each(|row| {
                if kind == Kind::Base && row.marks.is_removed() {
                    return Ok(());
                }
                table.push(row).map_err(keep)
            })?;
        table.finish().map_err(keep).map(drop)
    }
}

/// The list as the tables of a folder have it.
fn tables(folder: &Path, centre: &PublicKey, met_damage: &Arc<AtomicBool>) -> ListView {
    let open = |name: &str| {
        let path = folder.join(name);
        if !path.exists() {
            return None;
        }
        Table::open(&path, centre)
            .inspect_err(|error| {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    file = name,
                    "a kept list is not used"
                );
            })
            .ok()
    };
    let mut view = ListView::empty(Arc::clone(met_damage));
    let Some(base) = open(BASE).filter(|base| base.header.kind == Kind::Base) else {
        return view;
    };
    let (version, hash) = (base.header.version, base.header.hash);
    // A run upon another base is what a crash left behind.
    let run = open(RUN).filter(|run| run.header.kind == Kind::Run { version, hash });
    let top = run.as_ref().unwrap_or(&base);
    let Ok(warrant) = top.warrant() else { return view };
    view.state = state_of(top, Arc::new(warrant));
    view.salt = base.header.salt;
    view.overlay = Overlay::new(view.salt);
    view.base = Some(Arc::new(base));
    view.run = run.map(Arc::new);
    view
}

fn state_of(table: &Table, warrant: Arc<SignedMessage>) -> State {
    State {
        version: table.header.version,
        hash: table.header.hash,
        issued_at: table.header.issued_at,
        tags: table.header.tags,
        anchor: table.header.anchor,
        warrant: Some(warrant),
    }
}

/// Takes the deltas of the log that lead on from the tables, and hands them back. Each was checked
/// when it came; here the last one's signature stands for the state they lead to, and
/// [`ListStore::prove`] for the content.
fn replay(view: &mut ListView, frames: Vec<Frame>, centre: &PublicKey) -> Vec<Frame> {
    let before = view.clone();
    let mut used = Vec::new();
    for frame in frames.into_iter().filter(|frame| frame.version > before.version()) {
        let Ok(delta) = parse_delta(&frame.message) else { break };
        let follows = frame.version == view.version() + 1
            && delta.version == frame.version
            && delta.hash_before == view.hash();
        if !follows {
            break;
        }
        view.overlay.take(&delta.changes);
        view.state = State {
            version: delta.version,
            hash: delta.hash,
            issued_at: delta.issued_at,
            tags: frame.tags,
            anchor: frame.anchor,
            warrant: None,
        };
        used.push(frame);
    }
    if let Some(last) = used.last() {
        if last.message.verify(centre).is_err() {
            tracing::error!("a kept delta is not signed by the clearing house: none is used");
            *view = before;
            return Vec::new();
        }
        view.state.warrant = Some(Arc::new(last.message.clone()));
    }
    used
}
