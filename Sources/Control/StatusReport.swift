import Products
import Settings

/// How the agent and its catalogue are: the same type for the text, for `--json` and for the control socket.
package struct StatusReport: Codable, Hashable, Sendable {
    package struct Model: Codable, Hashable, Sendable {
        package let name: String
        package let precision: String
        package let dimension: Int

        package init(name: String, precision: String, dimension: Int) {
            (self.name, self.precision, self.dimension) = (name, precision, dimension)
        }
    }

    /// The model that is to take over.
    package struct Change: Codable, Hashable, Sendable {
        package let model: Model
        /// Photos that are embedded with it, of those that are used.
        package let embedded: Int
        package let photos: Int

        package init(model: Model, embedded: Int, photos: Int) {
            (self.model, self.embedded, self.photos) = (model, embedded, photos)
        }
    }

    package struct Failure: Codable, Hashable, Sendable {
        package let path: String
        package let reason: String
        package let attempts: Int

        package init(path: String, reason: String, attempts: Int) {
            (self.path, self.reason, self.attempts) = (path, reason, attempts)
        }
    }

    package struct Reconcile: Codable, Hashable, Sendable {
        /// ISO 8601.
        package let endedAt: String
        package let found: ReconcileReport

        package init(endedAt: String, found: ReconcileReport) {
            (self.endedAt, self.found) = (endedAt, found)
        }
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

        package init(
            used: Int, unwatched: [String], unwatchedReason: String?, pollReason: String?, overflows: Int
        ) {
            (self.used, self.unwatched, self.unwatchedReason) = (used, unwatched, unwatchedReason)
            (self.pollReason, self.overflows) = (pollReason, overflows)
        }
    }

    /// The program that is notified of changes.
    package struct Hook: Codable, Hashable, Sendable {
        package let command: [String]
        /// Products that it has yet to be notified of.
        package let waiting: Int
        package let isRunning: Bool
        /// When it ended last since the agent was started; ISO 8601.
        package let lastRun: String?
        /// Why it failed last; nil where all is well.
        package let trouble: String?
        /// How often in a row it has failed.
        package let failures: Int

        package init(
            command: [String], waiting: Int, isRunning: Bool, lastRun: String?, trouble: String?,
            failures: Int
        ) {
            (self.command, self.waiting, self.isRunning) = (command, waiting, isRunning)
            (self.lastRun, self.trouble, self.failures) = (lastRun, trouble, failures)
        }
    }

    /// What only a running agent has.
    package struct Running: Codable, Hashable, Sendable {
        package var version = ""
        package var processID = 0
        /// ISO 8601.
        package var startedAt = ""
        /// `starting`, `idle`, `settling`, `working`, `waiting for the image folder`, `holding back removals`, `trouble`
        /// or `stopping`.
        package var state = ""
        /// What it is doing, in words; empty where it is idle.
        package var progress = ""
        /// Photos that are known to wait for being read.
        package var waiting = 0
        /// Products and folders that have just changed, and are looked at when they are left alone.
        package var settling = 0
        package var photosPerSecond: Double?
        /// Products that vanished at once and are kept until somebody confirms.
        package var heldBack = 0
        /// How photos are read: `seccomp, Landlock 7`, or `off`.
        package var sandbox = ""
        package var trouble: String?
        package var settingsTrouble: String?
        /// Why the model of the settings cannot take over.
        package var changeTrouble: String?
        package var watches: Watches
        package var memoryBytes: Int?

        package init(watches: Watches) { self.watches = watches }
    }

    /// Nil where no agent is running; the rest is then from the catalogue.
    package var running: Running?
    /// Why the running agent could not be asked; nil where it answered or none is running.
    package var silence: String?
    package var imagesFolder: String
    package var outputFolder: String
    package var stateFolder: String
    /// The model that the lists are of; nil until the first reconcile has ranked.
    package var model: Model?
    package var change: Change?
    package var products = 0
    package var photos = 0
    package var failed: [Failure] = []
    /// Products whose file is not known to be up to date.
    package var due = 0
    /// Whether there is work that was stored and is not published yet.
    package var isInterrupted = false
    /// Whether products that vanished at once are kept until somebody confirms or they are back.
    package var isHeldBack = false
    /// How often the files of the output folder have changed.
    package var generation = 0
    package var lastReconcile: Reconcile?
    /// Nil where the settings name none.
    package var hook: Hook?
    /// How many folders the image folder has, itself included; nil where it cannot be listed.
    package var folders: Int?
    /// How many folders the kernel allows to watch.
    package var watchesAllowed: Int?

    /// Of a catalogue that nothing is in yet.
    package init(settings: Settings) {
        imagesFolder = settings.images.folder
        outputFolder = settings.output.folder
        stateFolder = settings.state.folder
    }
}
