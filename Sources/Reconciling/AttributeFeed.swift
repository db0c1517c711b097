import Catalogue
import Products
import Settings
import Tables

/// Keeps the attributes in the catalogue in step with the shop's table of them.
struct AttributeFeed {
    private let file: String?
    private let files: any TableFiles
    /// Whether a table that cannot be reached, or that somebody may still be writing, is taken later.
    private let isPatient: Bool
    /// Of the table that was read last; nil where none was.
    private var stamp: FileStamp?
    /// Read and checked, and not in the catalogue yet.
    private var unstored: AttributeTable?
    private var isStored = false
    /// Why the table could not be looked at last, as it was known before; nil where it could.
    private(set) var trouble: String?

    init(_ settings: Settings, _ files: any TableFiles, isPatient: Bool) {
        (file, self.files, self.isPatient) = (settings.output.attributes, files, isPatient)
    }

    /// Reads the table as it is now.
    mutating func read() throws(TableError) {
        guard let file else { return }
        let table = try AttributeTable(file: file, files)
        (unstored, stamp, isStored) = (table, table.stamp, false)
    }

    /// Brings the catalogue to what the table says now.
    ///
    /// - Throws: `TableError` where it cannot be used; `CatalogueError`.
    mutating func update(_ catalogue: Catalogue) throws {
        try lookAgain()
        guard !isStored else { return }
        let digest = unstored?.digest
        if try catalogue.attributesFile() != digest {
            try catalogue.store(attributes: unstored?.rows ?? [:], of: digest)
        }
        (unstored, isStored) = (nil, true)
    }

    private mutating func lookAgain() throws(TableError) {
        guard let file, let known = stamp else { return try read() }
        do throws(TableError) {
            let now = try files.stamp(of: file)
            trouble = nil
            let isEarly = isPatient && now?.isYoungTable ?? false
            if !isEarly, now != known { try read() }
        } catch {
            // What is known of it goes on; it is looked at again.
            guard case .notReached = error, isPatient else { throw error }
            trouble = error.description
        }
    }
}
