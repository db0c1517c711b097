/// What a shop says of a product: names and values, in the order of its table's columns.
package struct ProductAttributes: Hashable, Sendable {
    package struct Attribute: Hashable, Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package let all: [Attribute]

    package init(_ all: [Attribute] = []) { self.all = all }

    package var isEmpty: Bool { all.isEmpty }
}
