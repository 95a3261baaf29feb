-- The old customer database of data_migration, with what twenty years of it left behind.
CREATE TABLE customer (
    id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,      -- 'LAST, First'
    email TEXT,
    phone TEXT,
    born TEXT,                    -- DD.MM.YYYY
    balance TEXT NOT NULL         -- '1.234,56'
);
CREATE TABLE purchase (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    bought_on TEXT NOT NULL,      -- DD.MM.YYYY
    amount TEXT NOT NULL          -- '1.234,56'
);
-- Programs that work on a customer keep the row to themselves, and let go when somebody asks for it.
CREATE TABLE row_lock (
    customer_id INTEGER PRIMARY KEY REFERENCES customer (id),
    holder TEXT NOT NULL
);
CREATE TABLE lock_request (
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    asked_by TEXT NOT NULL,
    PRIMARY KEY (customer_id, asked_by)
);
CREATE TRIGGER holder_lets_go AFTER INSERT ON lock_request BEGIN
    DELETE FROM row_lock WHERE customer_id = NEW.customer_id;
END;
INSERT INTO customer VALUES
    (1001, 'ALBRECHT, Anna', 'Anna.Albrecht@Example.org', '0171-55 66 771', '28.08.1976', '2.662,55'),
    (1002, 'BAUER, Boris', 'Boris.Bauer@Example.org', '0171-55 66 757', '21.12.1987', '3.408,24'),
    (1003, 'CONTI, Clara', 'clara.conti@example.org', '030 / 12 34 504', '07.04.1986', '157,71'),
    (1004, 'DVORAK, David', 'David.Dvorak@Example.org', '0049 89 555244', '18.02.1993', '1.331,66'),
    (1005, 'ERIKSSON, Elif', 'Elif.Eriksson@Example.org', NULL, '13.02.2002', '1.525,16'),
    (1006, 'FISCHER, Farid', 'farid.fischer@example.org', '+49 (40) 777-991', '22.05.1969', '456,88'),
    (1007, 'GARCIA, Greta', 'Greta.Garcia@Example.org', '030 / 12 34 559', NULL, '2.552,35'),
    (1008, 'HANSEN, Henrik', 'Henrik.Hansen@Example.org', '+49 (40) 777-931', '25.03.1974', '3.374,92'),
    (1009, 'IVANOVA, Ines', 'ines.ivanova@example.org', '030 / 12 34 505', '05.04.1976', '1.354,11'),
    (1010, 'JANSEN, Jonas', 'Jonas.Jansen@Example.org', NULL, '25.10.1969', '1.553,59'),
    (1011, 'KOWALSKA, Katya', 'Katya.Kowalska@Example.org', '0171-55 66 716', '19.08.2001', '3.012,40'),
    (1012, 'LOPEZ, Luis', 'luis.lopez@example.org', '+49 (40) 777-391', '08.10.1963', '3.803,13'),
    (1013, 'MOREAU, Mara', 'Mara.Moreau@Example.org', '0171-55 66 761', '20.02.1974', '248,52'),
    (1014, 'NOVAK, Nils', 'Nils.Novak@Example.org', '030 / 12 34 504', NULL, '2.686,22'),
    (1015, 'OLSEN, Olga', 'olga.olsen@example.org', NULL, '17.03.1994', '360,58'),
    (1016, 'PETROV, Pavel', 'Pavel.Petrov@Example.org', '030 / 12 34 535', '07.04.1995', '86,89'),
    (1017, 'QUINT, Rosa', NULL, '0049 89 555244', '15.04.1951', 'see card file'),
    (1018, 'ROSSI, Sven', 'sven.rossi@example.org', '+49 (40) 777-111', '12.03.1976', '1.735,20'),
    (1019, 'SCHMIDT, Tilda', 'Tilda.Schmidt@Example.org', '0049 89 551744', '03.02.1976', '2.863,11'),
    (1020, 'TANAKA, Umut', 'Umut.Tanaka@Example.org', NULL, '28.07.1998', '158,70'),
    (1021, 'URBAN, Vera', 'vera.urban@example.org', '030 / 12 34 532', NULL, '2.182,32'),
    (1022, 'VIRTANEN, Wim', 'Wim.Virtanen@Example.org', '030 / 12 34 539', '20.02.1978', '116,86'),
    (1023, 'WEBER, Xenia', 'Xenia.Weber@Example.org', '0171-55 66 732', '01.06.1967', '750,88'),
    (1024, 'YILMAZ, Yusuf', 'yusuf.yilmaz@example.org', '0171-55 66 728', '19.06.1961', '713,95');
INSERT INTO purchase VALUES
    (1, 1001, '07.03.2020', '1.252,18'),
    (2, 1001, '21.10.2009', '251,73'),
    (3, 1001, '15.05.2008', '242,68'),
    (4, 1001, '18.12.2005', '1.565,90'),
    (5, 1002, '20.01.2020', '170,58'),
    (6, 1003, '11.08.2022', '517,02'),
    (7, 1003, '17.04.2013', '1.315,12'),
    (8, 1003, '01.11.2006', '1.203,86'),
    (9, 1004, '25.04.2020', '762,70'),
    (10, 1004, '01.02.2022', '287,92'),
    (11, 1005, '03.01.2004', '564,68'),
    (12, 1005, '07.01.2019', '989,25'),
    (13, 1005, '23.07.2017', '196,46'),
    (14, 1006, '11.01.2017', '314,30'),
    (15, 1006, '05.04.2007', '33,71'),
    (16, 1007, '22.09.2010', '1.177,89'),
    (17, 1008, '04.07.2017', '563,01'),
    (18, 1008, '01.05.2022', '802,29'),
    (19, 1008, '01.04.2009', '1.038,56'),
    (20, 1010, '03.02.2006', '552,18'),
    (21, 1010, '19.11.2011', '45,65'),
    (22, 1010, '20.06.2015', '1.635,92'),
    (23, 1011, '28.07.2009', '1.649,28'),
    (24, 1012, '06.12.2021', '520,34'),
    (25, 1014, '08.12.2016', '678,66'),
    (26, 1014, '14.10.2019', '774,22'),
    (27, 1015, '08.08.2021', '1.718,13'),
    (28, 1017, '10.06.2020', '1.504,90'),
    (29, 1018, '19.03.2022', '96,96'),
    (30, 1018, '01.08.2015', '822,37'),
    (31, 1018, '02.01.2023', '1.672,71'),
    (32, 1018, '03.08.2006', '820,43'),
    (33, 1019, '24.01.2008', '900,52'),
    (34, 1019, '12.02.2019', '208,60'),
    (35, 1020, '19.01.2023', '1.741,08'),
    (36, 1020, '13.07.2022', '37,62'),
    (37, 1020, '20.02.2006', '242,62'),
    (38, 1021, '13.12.2022', '1.204,97'),
    (39, 1021, '15.08.2021', '224,63'),
    (40, 1022, '23.02.2019', '1.615,88'),
    (41, 1023, '07.09.2009', '902,90'),
    (42, 1023, '22.08.2019', '638,03'),
    (43, 1023, '11.07.2012', '525,37'),
    (44, 1023, '21.07.2010', '566,48'),
    (45, 1024, '16.06.2005', '173,13');
INSERT INTO row_lock VALUES (1004, 'billing'), (1012, 'dunning letters');
