import Catalogue
import Foundation
import Products
import Sandbox
import Settings
import Watching

/// How the agent and its catalogue are: the same type for the text, for `--json` and for the control socket.
package struct StatusReport: Codable, Hashable, Sendable {
    package struct Model: Codable, Hashable, Sendable {
        package let name: String
        package let precision: String
        package let dimension: Int
    }

    /// The model that is to take over.
    package struct Change: Codable, Hashable, Sendable {
        package let model: Model
        /// Photos that are embedded with it, of those that are used.
        package let embedded: Int
        package let photos: Int
    }

    package struct Failure: Codable, Hashable, Sendable {
        package let path: String
        package let reason: String
        package let attempts: Int
    }

    package struct Reconcile: Codable, Hashable, Sendable {
        /// ISO 8601.
        package let endedAt: String
        package let found: ReconcileReport
    }

    package struct Watches: Codable, Hashable, Sendable {
        package let used: Int
        /// Folders that the kernel allows no watch for.
        package let unwatched: [String]
        /// Why, where it is not the kernel's limit.
        package let unwatchedReason: String?
        /// Why the folder is polled, if it is.
        package let pollReason: String?
        /// How often the kernel lost reports of changes.
        package let overflows: Int
    }

    /// The program that is told of changes.
    package struct Hook: Codable, Hashable, Sendable {
        package let command: [String]
        /// Products that it has not been told of.
        package let waiting: Int
        package let isRunning: Bool
        /// When it ended last since the agent was started; ISO 8601.
        package let lastRun: String?
        /// Why it failed last; nil where all is well.
        package let trouble: String?
        /// How often in a row it has failed.
        package let failures: Int
    }

    /// What only a running agent has.
    package struct Running: Codable, Hashable, Sendable {
        package let version: String
        package let processID: Int
        /// ISO 8601.
        package let startedAt: String
        /// `starting`, `idle`, `settling`, `working`, `waiting for the image folder`, `holding back removals`, `trouble`
        /// or `stopping`.
        package let state: String
        /// What it is doing, in words; empty where it is idle.
        package let progress: String
        /// Photos that are known to wait for being read.
        package let waiting: Int
        /// Products and folders that have just changed, and are looked at when they are left alone.
        package let settling: Int
        package let photosPerSecond: Double?
        /// Products that vanished at once and are kept until somebody confirms.
        package let heldBack: Int
        /// How photos are read: `seccomp, Landlock 7`, or `off`.
        package let sandbox: String
        package let trouble: String?
        package let settingsTrouble: String?
        /// Why the model of the settings cannot take over.
        package let changeTrouble: String?
        package let watches: Watches
        package let memoryBytes: Int?
    }

    /// Nil where no agent is running; the rest is then from the catalogue.
    package let running: Running?
    /// Why the running agent could not be asked; nil where it answered or none is running.
    package let silence: String?
    package let imagesFolder: String
    package let outputFolder: String
    package let stateFolder: String
    /// The model that the lists are of; nil until the first reconcile has ranked.
    package let model: Model?
    package let change: Change?
    package let products: Int
    package let photos: Int
    package let failed: [Failure]
    /// Products whose file is not known to be up to date.
    package let due: Int
    /// Whether there is work that was stored and is not published yet.
    package let isInterrupted: Bool
    /// Whether products that vanished at once are kept until somebody confirms or they are back.
    package let isHeldBack: Bool
    /// How often the files of the output folder have changed.
    package let generation: Int
    package let lastReconcile: Reconcile?
    /// Nil where the settings name none.
    package let hook: Hook?
    /// How many folders the image folder has, itself included; nil where it cannot be listed.
    package let folders: Int?
    /// How many folders the kernel allows to watch.
    package let watchesAllowed: Int?

    /// From the catalogue, where no agent is running or the one that is does not answer.
    ///
    /// - Parameter silence: why it could not be asked; nil where none is running.
    package init(settings: Settings, silence: AgentError? = nil) throws(AgentError) {
        guard let catalogue = try inRooms({ try Catalogue.forReading(stateFolder: settings.stateFolder) })
        else {
            throw silence ?? .nothingYet(stateFolder: settings.stateFolder)
        }
        let filter = PhotoFilter(extensions: [], excludes: settings.imageExcludes)
        try self.init(
            settings: settings, catalogue: catalogue, running: nil, silence: silence, hook: .init(),
            // What hangs the agent may hang whoever looks at the photos.
            folders: silence == nil
                ? (try? FolderScan(of: settings.imagesFolder, filter: filter))?.folderCount : nil)
    }

    /// - Parameter catalogue: nil where there is none yet.
    init(
        settings: Settings, catalogue: Catalogue?, running: Running?, silence: AgentError? = nil,
        hook: ServiceMonitor.Hook, folders: Int?
    ) throws(AgentError) {
        self.running = running
        self.silence = silence?.description
        self.folders = folders
        imagesFolder = settings.imagesFolder
        outputFolder = settings.outputFolder
        stateFolder = settings.stateFolder
        watchesAllowed = WatchBudget.allowed
        let summary = try inRooms { try catalogue?.summary() ?? .empty }
        model = summary.model.map(Model.init)
        change = summary.next.map {
            Change(model: Model($0.record), embedded: $0.embedded, photos: $0.photos)
        }
        products = summary.products
        photos = summary.ready
        due = summary.due
        isInterrupted = summary.isRankingDue || summary.due > 0
        isHeldBack = summary.isHeldBack
        generation = summary.generation
        let waiting = try inRooms { try catalogue?.hookChangeCount() ?? 0 }
        self.hook =
            settings.hook.isEmpty
            ? nil
            : Hook(
                command: settings.hook, waiting: waiting, isRunning: hook.isRunning,
                lastRun: hook.lastRun?.formatted(.iso8601), trouble: hook.trouble, failures: hook.failures)
        lastReconcile = try inRooms { try catalogue?.lastReconcile() }.flatMap { last in
            guard let found = try? JSONDecoder().decode(ReconcileReport.self, from: Data(last.report.utf8))
            else { return nil }
            let time = Date(timeIntervalSince1970: last.endedAt)
            return Reconcile(endedAt: time.formatted(.iso8601), found: found)
        }
        failed = try inRooms { try catalogue?.failedImages() ?? [] }.map { record in
            guard case .failed(let reason, let attempts, _) = record.state else {
                preconditionFailure("asked for failed photos")
            }
            return Failure(path: record.path.text, reason: reason, attempts: attempts)
        }
    }
}

extension StatusReport.Model {
    init(_ record: ModelRecord) {
        self.init(name: record.name, precision: record.precision, dimension: record.dimension)
    }
}

extension Containment {
    /// In words: what a process has given up.
    fileprivate var text: String {
        guard hasFilter else { return "off" }
        return landlock > 0 ? "seccomp, Landlock \(landlock)" : "seccomp; there is no Landlock here"
    }
}

extension StatusReport.Running {
    /// - Parameters:
    ///   - settling: asked for before the snapshot, so that nothing is missed that was taken to work between the two.
    init(
        _ now: ServiceMonitor.Snapshot, settling: Int, watches: FolderWatcher.State, version: String
    ) {
        self.version = version
        processID = Int(getpid())
        startedAt = now.startedAt.formatted(.iso8601)
        let isSettling = now.phase == .idle && (settling > 0 || watches.isBehind)
        state = (isSettling ? .settling : now.phase).rawValue
        progress = now.progress
        waiting = now.backlog
        self.settling = settling
        photosPerSecond = now.photosPerSecond
        heldBack = now.heldBack
        sandbox = now.containment?.text ?? "not started"
        trouble = now.trouble ?? now.tableTrouble
        settingsTrouble = now.settingsTrouble
        changeTrouble = now.changeTrouble
        self.watches = StatusReport.Watches(
            used: watches.watched, unwatched: watches.unwatched, unwatchedReason: watches.unwatchedReason,
            pollReason: watches.pollReason,
            overflows: watches.overflows)
        memoryBytes = residentMemory()
    }
}
