/// A table of a TOML file: `[images]`.
@propertyWrapper
package struct Table<Section: TOMLSection>: Hashable, Sendable {
    package var wrappedValue: Section

    package init(_ name: String) {
        let reading = TOMLReading.of(table: name)
        wrappedValue = TOMLReading.$current.withValue(reading) { Section() }
        reading.finish()
    }
}

/// The tables of one name, in their order in the file: `[[list]]`.
@propertyWrapper
package struct Tables<Section: TOMLSection>: Hashable, Sendable {
    package var wrappedValue: [Section]

    package init(_ name: String) {
        wrappedValue = TOMLReading.of(tables: name).map { reading in
            defer { reading.finish() }
            return TOMLReading.$current.withValue(reading) { Section() }
        }
    }
}

/// What has tables of some kind.
protocol TOMLTableValue {
    var sections: [any TOMLSection] { get }
}

extension Table: TOMLTableValue {
    var sections: [any TOMLSection] { [wrappedValue] }
}

extension Tables: TOMLTableValue {
    var sections: [any TOMLSection] { wrappedValue }
}
