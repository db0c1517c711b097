/// What a reconcile did: the same type for the text and for `--json`.
package struct ReconcileReport: Codable, Hashable, Sendable {
    package struct Failure: Codable, Hashable, Sendable {
        package let path: String
        package let reason: String

        package init(path: String, reason: String) { (self.path, self.reason) = (path, reason) }
    }

    package struct Published: Codable, Hashable, Sendable {
        package var written = 0
        package var unchanged = 0
        package var removed = 0

        package init() {}
    }

    /// What became of the table of attributes.
    package struct Attributes: Codable, Hashable, Sendable {
        /// Products that it names.
        package let lines: Int
        /// Of these, those that there are.
        package let products: Int

        package init(lines: Int, products: Int) { (self.lines, self.products) = (lines, products) }
    }

    package struct Change: Codable, Hashable, Sendable {
        package let action: Action
        package let path: String

        package init(action: Action, path: String) { (self.action, self.path) = (action, path) }

        package enum Action: String, Codable, Sendable {
            case add, change, retry, embedAnew, regroup, remove, fail
        }
    }

    /// Photos that are new in the folder, renamed ones among them.
    package var added = 0
    /// Photos whose file changed.
    package var changed = 0
    /// Photos that are no longer in the folder, under their old names renamed ones among them.
    package var removed = 0
    /// Photos that failed before and were tried again.
    package var retried = 0
    /// Photos that were embedded anew because the model changed.
    package var modelChanged = 0
    package var unchanged = 0
    /// Photos whose bytes were read.
    package var read = 0
    /// Photos that went through the network.
    package var embedded = 0
    /// Every photo that cannot be used now, in the order of their paths.
    package var failed: [Failure] = []
    /// Products that would have vanished and were kept, because they were too many at once.
    package var heldBack = 0
    package var products = 0
    package var published = Published()
    /// Nil where there is no table of attributes.
    package var attributes: Attributes?
    package var model = ""
    package var seconds = 0.0
    package var isDryRun = false
    /// What a run would do, photo by photo, in the order of their paths; only of a dry run.
    package var plan: [Change]?

    package init() {}

    /// Takes in what a later round of the same comparison did.
    package mutating func add(_ later: ReconcileReport) {
        added += later.added
        changed += later.changed
        removed += later.removed
        retried += later.retried
        modelChanged += later.modelChanged
        read += later.read
        embedded += later.embedded
        heldBack = max(heldBack, later.heldBack)
        products = later.products
        attributes = later.attributes ?? attributes
        published.written += later.published.written
        published.removed += later.published.removed
    }
}

/// How far a reconcile is.
package enum ReconcileProgress: Hashable, Codable, Sendable {
    case scanning
    case embedding(done: Int, of: Int)
    case ranking(done: Int, of: Int)
    case recommending(done: Int, of: Int)
    case publishing(done: Int, of: Int)
    case verifying(done: Int, of: Int)
    case comparing(done: Int, of: Int)
}
