/// The web component `<similar-products>`: one file that lies beside the documents.
enum Component {
    static let fileName = "similar-products.js"
    static let bytes = PackageResources.similar_products_js

    /// How a file begins that is ours.
    static let mark = Array("/*! imgrec-agent similar-products".utf8)
}
