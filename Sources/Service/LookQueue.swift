import Products
import Reconciling
import Watching

/// What is to be looked at, and when: turns a stream of hints into batches.
///
/// A pure state machine: time comes in as a parameter, nothing is waited for here.
///
/// - Hints for one product are one look, when it has been left alone for `settle`, at the latest `settleLimit` after
///   the first.
/// - While photos are being removed, all wait for each other in the same way, what has not been removed no longer than
///   `settleLimit`: a folder that is emptied photo by photo is
///   one change, which the brake on mass removal sees whole, and photos that are renamed one by one go and come in one.
/// - Photos that somebody has begun to write wait until they are closed.
struct LookQueue {
    typealias Instant = ContinuousClock.Instant

    struct Timing: Hashable, Sendable {
        var settle: Duration
        var settleLimit: Duration
    }

    /// What is due together.
    struct Batch: Hashable {
        var places: [ImagePath] = []
        /// Photos that are known to be whole.
        var finished: Set<ImagePath> = []
        /// Why everything is to be looked at, if it is.
        var everything: Set<FolderHint.EverythingReason> = []
    }

    private struct Pending {
        let first: Instant
        var last: Instant
        var places: [ImagePath: FolderHint.PhotoChange?] = [:]

        var hasRemoval: Bool { places.values.contains { $0 == .gone || $0 == nil } }
    }

    private let timing: Timing
    private let product: @Sendable (ImagePath) -> ProductID
    private var pending: [ProductID: Pending] = [:]
    private var everything: Set<FolderHint.EverythingReason> = []
    private var everythingSince: (first: Instant, last: Instant)?
    private var removals: (first: Instant, last: Instant)?
    /// Photos that are looked at again at some time, because they may be in the making.
    private var later: [ImagePath: Instant] = [:]
    /// Photos that failed and are tried again, of which nobody needs to know.
    private var retries: [ImagePath: Instant] = [:]
    /// Photos that were begun and not finished, what they were like, and since when.
    private var begun: [ImagePath: (stamp: FileStamp?, since: Instant)] = [:]

    /// Whoever made a name without writing (a link, or a file made elsewhere) closes nothing: after so long without a
    /// change the photo is taken as it is.
    static let longestBegun = Duration.seconds(10)

    init(_ timing: Timing, product: @escaping @Sendable (ImagePath) -> ProductID) {
        self.timing = timing
        self.product = product
    }

    /// How many products and folders wait.
    var count: Int { pending.count + later.count + (everything.isEmpty ? 0 : 1) }

    /// Takes a hint in.
    mutating func note(_ change: FolderHint, at now: Instant) {
        switch change {
        case .photo(let path, let photoChange):
            switch photoChange {
            case .begun: begun[path] = (nil, now)
            case .finished, .gone: begun[path] = nil
            case .touched: break
            }
            add(path, photoChange, to: product(path), now)
            if photoChange == .gone { noteRemoval(now) }
        case .folder(let path):
            add(path, nil, to: ProductID(path.name), now)
            noteRemoval(now)
        case .everything(let reason):
            everything.insert(reason)
            // The end of a photo may be among the lost reports; how young it is has to do.
            if reason == .overflow { begun = [:] }
            everythingSince = (everythingSince?.first ?? now, now)
        }
    }

    /// Has photos looked at again after a while. One that has grown since the last look is still being written.
    mutating func postpone(_ photos: [(path: ImagePath, stamp: FileStamp?)], at now: Instant) {
        for (path, stamp) in photos {
            later[path] = now + timing.settleLimit
            if let known = begun[path], known.stamp != stamp { begun[path] = (stamp, now) }
        }
    }

    /// Has a photo that failed looked at again at some time, unless it changes before.
    mutating func retry(_ path: ImagePath, at time: Instant) { retries[path] = time }

    /// What must not be read yet, for a look at this time.
    func deferral(finished: Set<ImagePath>, at now: Instant) -> Deferral {
        var deferral = Deferral()
        // One that was begun anew is not whole any more.
        deferral.finished = finished.filter { begun[$0] == nil }
        deferral.unfinished = Set(begun.filter { now - $0.value.since < Self.longestBegun }.keys)
        return deferral
    }

    /// What is due by now, or nil.
    mutating func takeDue(at now: Instant) -> Batch? {
        if let since = everythingSince, due(since) <= now { return takeAll() }
        var batch = Batch()
        for (product, entry) in pending where due(entry) <= now {
            pending[product] = nil
            batch.add(entry.places)
        }
        for (path, due) in later where due <= now {
            later[path] = nil
            batch.places.append(path)
        }
        for (path, due) in retries where due <= now {
            retries[path] = nil
            batch.places.append(path)
        }
        begun = begun.filter { now - $0.value.since < Self.longestBegun }
        if let since = removals, due(since) <= now {
            // What came too late for this batch waits for its own like.
            removals = pending.values.contains(where: \.hasRemoval) ? (now, since.last) : nil
        }
        guard !batch.places.isEmpty else { return nil }
        batch.places.sort()
        return batch
    }

    /// All that waits, for somebody who looks at everything.
    mutating func takeAll() -> Batch {
        var batch = Batch()
        for entry in pending.values { batch.add(entry.places) }
        batch.places += later.keys
        batch.places.sort()
        batch.everything = everything
        pending = [:]
        later = [:]
        retries = [:]
        everything = []
        everythingSince = nil
        removals = nil
        return batch
    }

    /// No hint that comes from now on is due before this.
    func earliestDue(from now: Instant) -> Instant { now + timing.settle }

    /// When something is due next; nil while nothing waits.
    var nextDue: Instant? {
        var next = everythingSince.map { due($0) }
        for entry in pending.values { next = min(next ?? due(entry), due(entry)) }
        for due in later.values { next = min(next ?? due, due) }
        for due in retries.values { next = min(next ?? due, due) }
        return next
    }

    // MARK: When

    private mutating func add(
        _ path: ImagePath, _ change: FolderHint.PhotoChange?, to product: ProductID, _ now: Instant
    ) {
        later[path] = nil
        retries[path] = nil
        var entry = pending[product] ?? Pending(first: now, last: now)
        entry.last = now
        // A photo that was finished is whole, whatever else happens to it but being begun anew.
        if change == .touched, entry.places[path] == .some(.finished) {
            pending[product] = entry
            return
        }
        entry.places[path] = .some(change)
        pending[product] = entry
    }

    private mutating func noteRemoval(_ now: Instant) { removals = (removals?.first ?? now, now) }

    private func due(_ times: (first: Instant, last: Instant)) -> Instant {
        min(times.last + timing.settle, times.first + timing.settleLimit)
    }

    private func due(_ entry: Pending) -> Instant {
        let own = due((entry.first, entry.last))
        guard let removals else { return own }
        let joint = max(own, due(removals))
        return entry.hasRemoval ? joint : min(joint, entry.first + timing.settleLimit)
    }
}

extension LookQueue.Batch {
    fileprivate mutating func add(_ places: [ImagePath: FolderHint.PhotoChange?]) {
        for (path, change) in places {
            self.places.append(path)
            if change == .finished { finished.insert(path) }
        }
    }
}
