// StrictTOML: the text of a TOML file in, checked values of Swift types out. Settings and models' manifests are read with it.
//
// A table is a type whose properties are its keys (`TOMLSection`, `Key`). A key that no property has, a value of another
// type or out of its range is an error that names the file, the line, and what would be right. From the same properties come
// the commented file and the pages about keys (`TOMLSection.keys`).

/// A table of a TOML file as a type: its properties are keys (`Key`), tables (`Table`) and lists of tables (`Tables`).
///
/// `init()` gives the values that they have where the file says nothing, and reads the file within `init(toml:file:)`.
package protocol TOMLSection: Hashable, Sendable {
    init()
}

extension TOMLSection {
    /// Reads and checks a whole file.
    ///
    /// - Parameter file: its name, for errors and for paths relative to it.
    /// - Throws: the first error; unknown keys come before wrong values.
    package init(toml text: String, file: String) throws(TOMLError) {
        let reading = TOMLReading(file: file, entries: try TOMLNode.parse(text, file: file))
        self = TOMLReading.$current.withValue(reading) { Self() }
        if let error = reading.error() { throw error }
    }

    /// All keys in the order of their declaration, those of tables in it included.
    package var keys: [any TOMLKeyValue] {
        Mirror(reflecting: self).children.flatMap { child -> [any TOMLKeyValue] in
            switch child.value {
            case let key as any TOMLKeyValue: [key]
            case let table as any TOMLTableValue: table.sections.flatMap(\.keys)
            default: []
            }
        }
    }
}
