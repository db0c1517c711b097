import Catalogue
import Embedding
import Foundation
import Imaging
import Settings

/// All that a model needs to embed photos: its networks, which are loaded when they are first needed, and the processes
/// that make the pictures it wants.
final class ModelAtWork: Sendable {
    let source: ModelSource
    let network: ModelLoader
    let workers: PhotoWorkers

    init(_ source: ModelSource, settings: Settings, executable: String, describesAll: Bool = false) {
        self.source = source
        network = ModelLoader(
            source, threads: settings.effectiveThreads, cache: settings.networkCache)
        workers = PhotoWorkers(
            settings: settings, shapes: source.shapes, executable: executable, describesAll: describesAll)
    }

    /// Takes photos of a folder through this model.
    func pipeline(_ settings: Settings) -> EmbeddingPipeline {
        EmbeddingPipeline(
            folder: settings.imagesFolder, workers: workers, fileLimit: settings.maxFileBytes,
            followsLinks: settings.followsLinks, model: network, threads: settings.effectiveThreads)
    }
}

extension Settings {
    var precision: ModelSource.Precision { .init(rawValue: modelPrecision) ?? .f32 }

    var networkCache: NetworkCache? {
        cacheFolder.map { NetworkCache(folder: $0, maxBytes: maxCachedBytes) }
    }
}

extension ModelLibrary {
    package init(settings: Settings, executable: String) {
        self.init(
            configured: settings.modelFolder, own: "\(settings.stateFolder)/models", executable: executable)
    }
}

extension ModelSource {
    /// The model that the settings name.
    init(settings: Settings, executable: String) throws(ModelError) {
        let library = ModelLibrary(settings: settings, executable: executable)
        try self.init(
            try Recipe(settings: settings, library: library), in: library, readerVersion: PhotoReader.version)
    }

    /// The model of a catalogue's record.
    ///
    /// - Throws: where it cannot be had any more: its folder, the program, or the way it was noted has changed.
    init(_ record: ModelRecord, library: ModelLibrary) throws(ModelError) {
        guard let text = record.recipe,
            let recipe = try? JSONDecoder().decode(Recipe.self, from: Data(text.utf8)), !recipe.parts.isEmpty
        else { throw .notAsItWas(name: record.name) }
        try self.init(recipe, in: library, readerVersion: PhotoReader.version)
        guard identity == record.identity else { throw .notAsItWas(name: record.name) }
    }

    var record: ModelRecord {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return ModelRecord(
            identity: identity, name: name, precision: precision.rawValue, dimension: dimension,
            recipe: (try? encoder.encode(recipe)).map { String(decoding: $0, as: UTF8.self) })
    }
}

extension ModelSource.Recipe {
    init(settings: Settings, library: ModelLibrary) throws(ModelError) {
        var parts: [Part] = []
        for choice in settings.models {
            let manifest = try ModelManifest(folder: try library.folder(of: choice.name))
            parts.append(
                Part(
                    name: choice.name, weight: choice.weight,
                    shape: settings.picture.applied(to: manifest.shape)))
        }
        self.init(parts: parts, precision: settings.precision)
    }
}
