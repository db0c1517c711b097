import Catalogue
import Embedder
import Embedding
import Foundation
import Imaging

// A model as the catalogue knows it.

extension ModelSource {
    /// The model of a catalogue's record.
    ///
    /// - Throws: where it cannot be had any more: its folder, the program, or the way it was noted has changed.
    package init(_ record: ModelRecord, library: ModelLibrary) throws(ModelError) {
        guard let text = record.recipe,
            let recipe = try? JSONDecoder().decode(Recipe.self, from: Data(text.utf8)), !recipe.parts.isEmpty
        else { throw .notAsItWas(name: record.name) }
        try self.init(recipe, in: library, readerVersion: PhotoReader.version)
        guard identity == record.identity else { throw .notAsItWas(name: record.name) }
    }

    /// As the catalogue notes it, with the recipe that it is made of again.
    package var record: ModelRecord {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return ModelRecord(
            identity: identity, name: name, precision: precision.rawValue, dimension: dimension,
            recipe: (try? encoder.encode(recipe)).map { String(decoding: $0, as: UTF8.self) })
    }
}
