@path: '/shop'
@requires: 'any'
service ShopService {
  entity Books {
    key ID    : Integer;
        title : String @mandatory;
        stock : Integer @assert.range: [ 0, 1000 ];
        isbn  : String;
        pages : Composition of many Pages on pages.book = $self;
  }

  entity Pages {
    key number : Integer;
    key book   : Association to Books;
        text   : String;
  }
}

annotate ShopService.Books with @assert.unique: { isbn: [ isbn ] };
