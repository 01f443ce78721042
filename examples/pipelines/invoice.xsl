<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="html" encoding="UTF-8" indent="no"/>
  <xsl:template match="/invoice">
    <html>
      <body>
        <h1>Invoice <xsl:value-of select="@number"/></h1>
        <table>
          <xsl:for-each select="line">
            <xsl:sort select="@sku"/>
            <tr><td><xsl:value-of select="@sku"/></td><td><xsl:value-of select="@price"/></td></tr>
          </xsl:for-each>
        </table>
        <p>Total: <xsl:value-of select="format-number(sum(line/@price), '0.00')"/></p>
      </body>
    </html>
  </xsl:template>
</xsl:stylesheet>
