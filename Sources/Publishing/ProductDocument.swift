import Products

/// A product's JSON document (schema version 1).
package struct ProductDocument: Hashable, Sendable {
    package static let schemaVersion = 1

    package let product: ProductID
    package let photos: [ProductPhoto]
    /// The most similar first.
    package let recommendations: [Candidate]
    package let attributes: ProductAttributes

    package init(
        product: ProductID, photos: [ProductPhoto], recommendations: [Candidate],
        attributes: ProductAttributes = .init()
    ) {
        self.product = product
        self.photos = photos
        self.recommendations = recommendations
        self.attributes = attributes
    }

    /// The document's bytes: the same content, the same bytes.
    func json(model: String, form: OutputForm) -> [UInt8] {
        var json = JSONText(isCompact: form.isCompact)
        json.open(.object, isOnLines: true)
        json.addMember("schemaVersion", Self.schemaVersion)
        json.addMember("product", product.text)
        json.add(photos, form)
        json.add(attributes)
        json.addMember("model", model)
        add(to: &json, isOnLines: true, form)
        json.close()
        json.append("\n")
        return json.bytes
    }

    /// The product's line in the file of all products: its id and what is known of it.
    func line(form: OutputForm) -> [UInt8] {
        var json = JSONText(isCompact: form.isCompact)
        json.append(string: product.text)
        json.append(form.isCompact ? ":" : ": ")
        json.open(.object)
        json.add(photos, form)
        json.add(attributes)
        add(to: &json, isOnLines: false, form)
        json.close()
        return json.bytes
    }

    private func add(to json: inout JSONText, isOnLines: Bool, _ form: OutputForm) {
        json.beginMember("recommendations")
        json.open(.array, isOnLines: isOnLines)
        for recommendation in recommendations {
            json.beginElement()
            json.open(.object)
            json.addMember("product", recommendation.neighbour.product.text)
            json.add(standingFor: recommendation.photos[0], form)
            json.beginMember("score")
            json.append(JSONText.score(recommendation.neighbour.score))
            if form.fields.contains(.images) { json.add(recommendation.photos, form) }
            json.add(recommendation.attributes)
            json.close()
        }
        json.close()
    }
}

extension JSONText {
    /// The photo that stands for a product.
    fileprivate mutating func add(standingFor photo: ProductPhoto, _ form: OutputForm) {
        addMember("image", photo.path.text)
        if let base = form.imageBaseURL { addMember("imageURL", photo.address(base)) }
        if form.fields.contains(.digests) { addMember("imageDigest", "sha256:\(photo.digest)") }
    }

    fileprivate mutating func add(_ photos: [ProductPhoto], _ form: OutputForm) {
        addMember("images", photos.map(\.path.text))
        if let base = form.imageBaseURL { addMember("imageURLs", photos.map { $0.address(base) }) }
        if form.fields.contains(.digests) { addMember("imageDigests", photos.map { "sha256:\($0.digest)" }) }
    }

    fileprivate mutating func add(_ attributes: ProductAttributes) {
        guard !attributes.isEmpty else { return }
        beginMember("attributes")
        open(.object)
        for attribute in attributes.all { addMember(attribute.name, attribute.value) }
        close()
    }
}

extension ProductPhoto {
    fileprivate func address(_ base: String) -> String { base + WebAddress.encoded(path.name.bytes) }
}
