import Catalogue
import Foundation
import Logging
import Products
import Reconciling
import Sandbox
import Settings
import Synchronization
import Systemd
import Tables
import Threads
import Watching

/// The running agent's one thread of work, as others see it: takes hints and requests, and runs rounds of the `Reconciler`.
///
/// What the thread alone has is in `LoopThread`; what is next, `Agenda` decides.
final class WorkLoop: Sendable {
    /// What a loop is made with.
    struct Setup: Sendable {
        let settings: Settings
        let executable: String
        let attributesWorker: FileWorker
        let log: Logger
        let notifier: ServiceNotifier
        let monitor: ServiceMonitor
        var now: Now = { .now }
    }

    private let setup: Setup
    private let mailbox: Mailbox
    private let watcher: FolderWatcher
    private let lookout: AttributesLookout
    private let tableFiles: PatientTableFiles
    /// For reading, beside the loop; nil while there is none.
    private let openCatalogue = Mutex<Catalogue?>(nil)

    /// - Parameter finished: what an earlier loop left of photos that were changed, whatever their size and time say.
    init(_ setup: Setup, finished: Set<ImagePath> = []) {
        let settings = setup.settings
        self.setup = setup
        tableFiles = PatientTableFiles(setup.attributesWorker, settings)
        lookout = AttributesLookout(settings, tableFiles)
        let grouping = ProductGrouping(settings.images.productPattern)
        let queue = LookQueue(.init(settle: settings.watch.settle, settleLimit: settings.watch.settleLimit)) {
            grouping.product(of: $0)
        }
        let mailbox = Mailbox(queue, finished: finished, now: setup.now)
        self.mailbox = mailbox
        watcher = FolderWatcher(
            folder: settings.images.folder, filter: PhotoFilter(settings: settings),
            pollInterval: settings.watch.pollInterval, reconcileInterval: settings.watch.reconcileInterval
        ) { mailbox.note($0) }
    }

    /// Begins to work, on a thread of its own.
    ///
    /// - Parameters:
    ///   - onReady: called when all is open, watched, and what was due is published; or with why that cannot be.
    ///   - onEnd: called when the thread has ended after it was ready; with what ended it, if it was not asked to.
    ///     Requests that were not answered are for `takeRequests` then.
    func start(
        onReady: @escaping @Sendable (Result<Void, any Error>) -> Void,
        onEnd: @escaping @Sendable ((any Error)?) -> Void
    ) {
        do {
            try OwnThread("work", stackBytes: 4 << 20) { [self] in run(onReady, onEnd) }
        } catch {
            fail(error, onReady)
        }
    }

    private func run(
        _ onReady: @Sendable (Result<Void, any Error>) -> Void, _ onEnd: @Sendable ((any Error)?) -> Void
    ) {
        let thread: LoopThread
        do {
            thread = try LoopThread(
                setup, mailbox, watcher, lookout, tableFiles,
                onOpen: { [self] catalogue in openCatalogue.withLock { $0 = catalogue } })
        } catch {
            return fail(error, onReady)
        }
        onReady(.success(()))
        let (failure, unanswered) = thread.run()
        close(leaving: unanswered, failure)
        onEnd(failure)
        mailbox.noteEnd()
    }

    private func fail(_ error: any Error, _ onReady: @Sendable (Result<Void, any Error>) -> Void) {
        watcher.stop()
        close(leaving: [], error)
        onReady(.failure(error))
        mailbox.noteEnd()
    }

    private func close(leaving requests: [ReconcileRequest], _ failure: (any Error)?) {
        openCatalogue.withLock { $0 = nil }
        lookout.close()
        mailbox.close(leaving: requests, failure)
    }

    /// Asks the loop to end; it finishes or gives up what it is at.
    func stop() { mailbox.stop() }

    /// Asks the loop to end, and waits until it has: nothing that it held is held any more.
    func end() async {
        mailbox.stop()
        await mailbox.waitForEnd()
    }

    /// What ended it; nil while it goes on, and where it was asked to end.
    var failure: (any Error)? { mailbox.failure }

    /// Asks for a comparison of everything. Returns false where the loop has ended and nobody will answer.
    func ask(_ request: ReconcileRequest) -> Bool { mailbox.ask(request) }

    /// What a loop that has ended leaves unanswered.
    func takeRequests() -> [ReconcileRequest] { mailbox.takeRequests() }

    /// What a loop that has ended leaves of photos that were changed, whatever their size and time say.
    func takeFinished() -> Set<ImagePath> { mailbox.takeFinished() }

    /// For reading, beside the loop.
    var catalogue: Catalogue? { openCatalogue.withLock { $0 } }

    var watches: FolderWatcher.State { watcher.state }

    /// How many products and folders have just changed, the table of attributes among them; waits for a look at that, a second
    /// at the most.
    func countSettling() -> Int {
        let isStarting = setup.monitor.current.phase == .starting
        let areAttributesNew = isStarting ? lookout.isNeeded : lookout.isNew(mailbox.wake)
        return mailbox.settling + (areAttributesNew ? 1 : 0)
    }
}
