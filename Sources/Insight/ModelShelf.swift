import Catalogue
import Control
import Embedder
import Embedding
import Foundation
import Imaging
import Products
import Settings

/// The models that there are, and what can be done with them.
package struct ModelShelf {
    package struct Entry: Codable, Hashable, Sendable {
        package let name: String
        package let folder: String
        package let dimension: Int?
        /// Pixels.
        package let width: Int?
        package let height: Int?
        package let fileBytes: Int?
        package let licence: String?
        /// With the settings' precision and threads, without reading photos.
        package let photosPerSecond: Double?
        /// Whether the published lists are of it.
        package let isInService: Bool
        /// Whether the settings name it.
        package let isInSettings: Bool
        /// Why it cannot be used.
        package let trouble: String?
    }

    private let settings: Settings
    private let library: ModelLibrary

    package init(settings: Settings, executable: String) {
        self.settings = settings
        library = ModelLibrary(settings: settings, executable: executable)
    }

    /// Where they are looked for.
    package var folders: [String] { library.folders }

    /// The names of those that can be used.
    package var usable: [String] { library.names.filter { (try? source(named: $0)) != nil } }

    /// Every model that is found, by name.
    ///
    /// - Parameter progress: called before a model's speed is measured, which takes seconds; what was measured is kept.
    package func entries(progress: (String) -> Void) throws -> [Entry] {
        let catalogue = try Catalogue.forReading(stateFolder: settings.state.folder)
        let inService = try catalogue?.modelInService()?.record
        let served = Set(inService?.recipe.map(Self.names) ?? [])
        var speeds = KnownSpeeds(cacheFolder: settings.cacheFolder)
        var entries: [Entry] = []
        for name in library.names {
            entries.append(entry(name, isInService: served.contains(name), &speeds, progress))
        }
        return entries
    }

    private static func names(in recipe: String) -> [String] {
        let recipe = try? JSONDecoder().decode(ModelSource.Recipe.self, from: Data(recipe.utf8))
        return recipe?.parts.map(\.name) ?? []
    }

    private func entry(
        _ name: String, isInService: Bool, _ speeds: inout KnownSpeeds, _ progress: (String) -> Void
    ) -> Entry {
        var manifest: ModelManifest?
        var source: ModelSource?
        var speed: Double?
        var trouble: String?
        do {
            manifest = try ModelManifest(folder: try library.folder(of: name))
            let found = try self.source(named: name)
            source = found
            speed = try speeds.speed(of: found, settings) { progress(name) }
        } catch {
            trouble = error.explained.description
        }
        return Entry(
            name: name, folder: (try? library.folder(of: name)) ?? "", dimension: manifest?.dimension,
            width: manifest?.shape.width, height: manifest?.shape.height, fileBytes: source?.fileBytes,
            licence: manifest?.licence, photosPerSecond: speed.map { ($0 * 10).rounded() / 10 },
            isInService: isInService, isInSettings: settings.models.contains { $0.name == name },
            trouble: trouble)
    }

    private func source(named name: String) throws(ModelError) -> ModelSource {
        try ModelSource(
            named: name, in: library, precision: settings.model.precision, readerVersion: PhotoReader.version)
    }

    // MARK: Adding

    /// Puts a network with the manifest of a draft among the user's own models.
    ///
    /// - Returns: the model's folder.
    package func add(_ draft: ManifestDraft, replaces: Bool) throws -> String {
        let digests = try ModelFiles.read(draft.file).digests
        let manifest = try draft.text(digests: digests)
        return try add(draft.name, draft.file, manifest: manifest, replaces: replaces)
    }

    /// Puts a copy of a model's folder among the user's own models.
    ///
    /// - Returns: the model's name and its folder.
    package func add(folder: String, replaces: Bool) throws -> (name: String, folder: String) {
        let manifest = try ModelManifest(folder: folder)
        let file = "\(folder)/\(ModelManifest.fileName)"
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw ModelError.noManifest(folder: folder)
        }
        let network = "\(folder)/\(manifest.file)"
        return (manifest.name, try add(manifest.name, network, manifest: text, replaces: replaces))
    }

    private func add(_ name: String, _ network: String, manifest: String, replaces: Bool) throws
        -> String
    {
        guard ManifestDraft.isName(name) else {
            throw ManifestDraft.Failure.badName(name)
        }
        if settings.model.folder == nil { try checkOwner() }
        let target = "\(library.own)/\(name)"
        let manager = FileManager.default
        let isInPlace = URL(fileURLWithPath: network).deletingLastPathComponent().path == target
        let isTaken = manager.fileExists(atPath: target)
        guard replaces || isInPlace || !isTaken else {
            throw InsightError.badModel(
                reason: "there is a model \(target) already",
                remedy: "Replace it with --force, or give another name with --name.")
        }
        // Beside its place until it is whole and has been tried.
        let (made, old) = ("\(library.own)/.added-\(getpid())", "\(library.own)/.replaced-\(getpid())")
        defer { try? manager.removeItem(atPath: made) }
        do {
            try manager.createDirectory(atPath: made, withIntermediateDirectories: true)
            for file in ModelFiles.all(of: network) {
                let own = "\(made)/\(URL(fileURLWithPath: file).lastPathComponent)"
                try manager.copyItem(atPath: file, toPath: own)
            }
            try Data(manifest.utf8).write(to: URL(fileURLWithPath: "\(made)/\(ModelManifest.fileName)"))
        } catch {
            throw InsightError.cannotWrite(file: made, reason: error.localizedDescription)
        }
        let trial = URL(fileURLWithPath: made).lastPathComponent
        let source = try ModelSource(
            named: trial, in: ModelLibrary(folders: [library.own]), precision: .f32,
            readerVersion: PhotoReader.version)
        _ = try source.load(threads: 1)
        do {
            if isInPlace {
                // Whatever else lies beside the network stays.
                try Data(manifest.utf8).write(
                    to: URL(fileURLWithPath: "\(target)/\(ModelManifest.fileName)"), options: .atomic)
            } else {
                if isTaken { try manager.moveItem(atPath: target, toPath: old) }
                do {
                    try manager.moveItem(atPath: made, toPath: target)
                } catch {
                    if isTaken { try? manager.moveItem(atPath: old, toPath: target) }
                    throw error
                }
                try? manager.removeItem(atPath: old)
            }
        } catch {
            throw InsightError.cannotWrite(file: target, reason: error.localizedDescription)
        }
        return target
    }

    /// Root would leave files behind that the agent's user cannot change.
    private func checkOwner() throws {
        if geteuid() == 0, let owner = otherOwner(of: settings.state.folder) {
            throw LockError.notOwner(stateFolder: settings.state.folder, owner: owner)
        }
    }

    // MARK: Pruning

    /// Removes what is kept of models that are neither in service nor to take over: a running agent does, or else this
    /// process, under the lock of the state folder.
    package func prune() throws -> [PrunedModel] {
        if let agent = try ControlClient(settings: settings) { return try agent.prune() }
        // Nothing is made where there is nothing yet.
        guard try Catalogue.isThere(stateFolder: settings.state.folder) else {
            throw InsightError.nothingYet(stateFolder: settings.state.folder)
        }
        let lock = try StateLock(stateFolder: settings.state.folder)
        defer { withExtendedLifetime(lock) {} }
        return try Self.prune(try Catalogue(stateFolder: settings.state.folder))
    }

    /// Removes them from an open catalogue.
    package static func prune(_ catalogue: Catalogue) throws(CatalogueError) -> [PrunedModel] {
        try catalogue.prune().map {
            PrunedModel(
                name: $0.record.name, precision: $0.record.precision, embeddings: $0.embeddings)
        }
    }
}
