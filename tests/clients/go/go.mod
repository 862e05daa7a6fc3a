module example.com/deskwire/journey

go 1.23

require example.com/deskwire/client v0.0.0

require gopkg.in/validator.v2 v2.0.1 // indirect

replace example.com/deskwire/client => ../../../target/clients/go
